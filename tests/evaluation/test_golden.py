"""Every number of the reference evaluators, run on seven recordings: RVT's and eTraM's.

Source: RVT b80f568 and eTraM 8930488, `utils/evaluation/prophesee`, with pycocotools.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Engine
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED, resolve_protocol
from etram_pipeline.evaluation.result import Metrics

GOLDEN = Path(__file__).parents[1] / "golden/eval"
RESULTS: dict[str, Any] = {
    repository: json.loads((GOLDEN / f"{repository}.json").read_text())
    for repository in ("rvt", "etram")
}
RUNS = [(repository, name) for repository, results in RESULTS.items() for name in results["runs"]]
TOLERANCE = 1e-12

Tables = tuple[dict[str, Any], dict[str, Any]]


def read_tables() -> Tables:
    with np.load(GOLDEN / "eval_inputs.npz") as arrays:
        names = [name.removesuffix("_gt") for name in arrays if name.endswith("_gt")]
        return (
            {name: arrays[f"{name}_gt"] for name in names},
            {name: arrays[f"{name}_dt"] for name in names},
        )


def by_frame(tables: Tables) -> Tables:
    labels, detections = tables
    times = [(name, t) for name, table in labels.items() for t in np.unique(table["t"])]
    return (
        {f"{name}/{t}": labels[name][labels[name]["t"] == t] for name, t in times},
        {f"{name}/{t}": detections[name][detections[name]["t"] == t] for name, t in times},
    )


def protocol_of(repository: str, name: str) -> Protocol:
    """The named protocol of the evaluator, with the run's settings; tables are in its px."""
    changes: dict[str, Any] = {"like": {"rvt": "rvt_gen4", "etram": "etram_fork"}[repository]}
    # The evaluator takes detections at any time; RVT calls it with those at labels only.
    changes |= {"name": "golden", "pixel_scale": 1, "frames": "near"}
    if "8cls" in name:
        changes |= {"class_names": etram.CLASSES}
    if "filter0" in name:
        changes |= {"min_side_px": 0, "min_diagonal_px": 0, "start_us": -1}
    elif "ds0" in name:
        changes |= {"min_side_px": 20, "min_diagonal_px": 60}
    return resolve_protocol(changes)


def assert_equal(metrics: Metrics, repository: str, name: str) -> None:
    run = RESULTS[repository]["runs"][name]
    for key, value in run["returned"].items():
        assert metrics.overall[key.replace("max_det=", "")] == pytest.approx(value, abs=TOLERANCE)
    for summary in run["summaries"]:
        assert metrics.num_frames == summary["n_images"]
        if summary["catIds"] in ([-1], list(range(1, len(metrics.per_class) + 1))):
            assert metrics.overall == pytest.approx(summary["stats"], abs=TOLERANCE)
        names = list(metrics.per_class)
        for category, values in summary["per_category_id"].items():
            if category != "-1":
                found = metrics.per_class[names[int(category) - 1]].metrics
                assert {key: found[key] for key in values} == pytest.approx(values, abs=TOLERANCE)


@pytest.mark.parametrize(("repository", "name"), RUNS)
def test_every_number_of_the_references_is_reproduced(repository: str, name: str) -> None:
    tables = read_tables()
    if name == "no_detections":
        tables = tables[0], {recording: table[:0] for recording, table in tables[1].items()}
    labels, detections = by_frame(tables) if "per_frame" in name else tables
    metrics = evaluate(labels, detections, protocol_of(repository, name))
    assert_equal(metrics, repository, name)


@pytest.mark.parametrize("engine", ["faster_coco_eval", "pycocotools"])
@pytest.mark.parametrize("repository", ["rvt", "etram"])
def test_the_libraries_reproduce_them_too(repository: str, engine: Engine) -> None:
    name = "evaluate_detection_8cls__per_sequence__ds1__filter1"
    labels, detections = read_tables()
    metrics = evaluate(labels, detections, protocol_of(repository, name), engine=engine)
    assert_equal(metrics, repository, name)


@pytest.mark.parametrize(("repository", "named"), [("rvt", "rvt_gen4"), ("etram", "etram_fork")])
def test_the_named_protocols_give_them_from_tables_in_px_of_the_sensor(
    repository: str, named: str
) -> None:
    labels, detections = read_tables()
    for table in (labels | {f"found {name}": found for name, found in detections.items()}).values():
        for column in ("x", "y", "w", "h"):
            table[column] *= 2
    protocol = NAMED[named].model_copy(update={"name": "golden", "frames": "near"})
    metrics = evaluate(labels, detections, protocol, class_names=etram.CLASSES)
    name = "evaluate_list_gen4__per_sequence__ds1__filter1"
    assert list(metrics.per_class) == ["pedestrian", "car", "bicycle"]
    assert_equal(metrics, repository, name)


def test_windows_hold_what_the_references_put_in_them() -> None:
    labels, detections = read_tables()
    protocol = resolve_protocol(
        {
            "like": "rvt_gen4",
            "name": "windows",
            "frames": "near",
            "class_names": etram.CLASSES,
            "min_side_px": 0,
            "min_diagonal_px": 0,
            "start_us": -1,
        }
    )
    for name, expected in RESULTS["rvt"]["match_times_tol50ms"].items():
        metrics = evaluate({name: labels[name]}, {name: detections[name]}, protocol)
        assert metrics.num_frames == expected["n_windows"]
        assert metrics.num_labels == expected["gt_in_windows"]
        assert metrics.num_detections == expected["dt_in_windows"]


def test_an_engine_that_is_not_installed_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[fast-eval\]'"):
        evaluate(*read_tables(), protocol_of(*RUNS[0]), engine="faster_coco_eval")
