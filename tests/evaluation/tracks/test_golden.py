"""Every number of TrackEval 1.3.0 on small made-up recordings; see `golden/tracking/README.md`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.result import TrackClassMetrics, TrackMetrics
from etram_pipeline.evaluation.tracks.scoring import TrackEngine, evaluate_tracks

GOLDEN = Path(__file__).parents[2] / "golden/tracking"
CASES: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text())["cases"]
RUNS = [*((case, "own") for case in CASES), ("edges", "trackeval"), ("swap", "trackeval")]
RENAMED = {"CLR_TP": "TP", "CLR_FN": "FN", "CLR_FP": "FP"}
TOLERANCE = 1e-9

Tables = tuple[dict[str, Any], dict[str, Any]]


def read_tables(case: str) -> Tables:
    with np.load(GOLDEN / CASES[case]["inputs"]) as arrays:
        names = [name.removesuffix("__labels") for name in arrays if name.endswith("__labels")]
        return (
            {name: arrays[f"{name}__labels"] for name in names},
            {name: arrays[f"{name}__tracks"] for name in names},
        )


def score(case: str, tables: Tables, *, class_aware: bool, engine: TrackEngine) -> TrackMetrics:
    choices = CASES[case]["protocol"]
    protocol = TrackProtocol(
        name="golden",
        class_names=etram.CLASSES,
        class_aware=class_aware,
        moments=choices["frames"],
        interpolate_us=choices["max_gap_us"],
    )
    return evaluate_tracks(*tables, protocol, etram.CLASSES, engine=engine)


def numbers(metrics: TrackMetrics | TrackClassMetrics) -> dict[str, float]:
    values = metrics.overall if isinstance(metrics, TrackMetrics) else metrics.metrics
    return values | metrics.counts | metrics.model_dump(include={"num_labels", "num_tracked"})


def assert_equal(found: dict[str, float], expected: dict[str, float]) -> None:
    renamed = {RENAMED.get(name, name): value for name, value in expected.items()}
    assert {name: found[name] for name in renamed} == pytest.approx(renamed, abs=TOLERANCE)


@pytest.mark.parametrize(("case", "engine"), RUNS)
def test_all_numbers_of_classes(case: str, engine: TrackEngine) -> None:
    metrics = score(case, read_tables(case), class_aware=True, engine=engine)
    for name, expected in CASES[case]["per_class"].items():
        assert_equal(numbers(metrics.per_class[name]), expected)
    assert_equal(metrics.overall, CASES[case]["class_mean"])
    assert metrics.num_moments == sum(CASES[case]["moments"].values())


@pytest.mark.parametrize(("case", "engine"), RUNS)
def test_all_numbers_of_classes_as_one(case: str, engine: TrackEngine) -> None:
    labels, tracks = read_tables(case)
    metrics = score(case, (labels, tracks), class_aware=False, engine=engine)
    assert_equal(numbers(metrics), CASES[case]["agnostic"])
    for name, expected in CASES[case]["agnostic_by_recording"].items():
        key = name.replace("/", "_")
        alone = {key: labels[key]}, {key: tracks[key]}
        assert_equal(numbers(score(case, alone, class_aware=False, engine=engine)), expected)
