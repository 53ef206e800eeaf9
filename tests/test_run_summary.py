"""What a run says before it starts and after it ends."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from rich.console import Console
from tests.conftest import OpenSession

from etram_pipeline.datasets.files import FileDataset
from etram_pipeline.datasets.scene import SceneRecordingsDataset
from etram_pipeline.deployment.latency_report import Answers, Combination, Measured, Percentiles
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.pipeline_registry import register_pipelines
from etram_pipeline.run_summary import outline, print_results, result_lines

LONG = "a_recording_of_a_long_name_at_an_intersection_in_a_city_by_night_and_in_rain.mp4"


class Unreadable(dict[str, object]):
    """What the quality check leaves when nothing could be read."""

    @property
    def failed(self) -> dict[str, str]:
        return {"test/street": "RecordingError: no events"}


def _catalog(video: Path | None = None, **loaded: object) -> DataCatalog:
    datasets: dict[str, Any] = {name: MemoryDataset(data) for name, data in loaded.items()}
    if video:
        datasets["annotated_video"] = FileDataset(filepath=str(video))
    return DataCatalog(datasets)


def _made(name: str) -> Pipeline:
    return Pipeline([Node(object, None, name, name="make")])


def _metrics(labels: int, **overall: float) -> Metrics:
    construct: Any = Metrics.model_construct  # the rest is not looked at
    made: Metrics = construct(
        protocol=Protocol(name="coco"), overall=overall, num_labels=labels, split="test"
    )
    return made


def _measured(others_share: float) -> Measured:
    answers = Answers(
        latency=Percentiles(p50_ms=19.2, p95_ms=24.4, p99_ms=30), num_windows=100, num_left_out=0
    )
    return Measured(
        combination=Combination(engine="eager", threads=1, million_events_per_s=5),
        by_clock=answers,
        by_parts=answers,
        window_cpu=answers.latency,
        network_cpu=answers.latency,
        least_network_cpu_ms=18,
        realtime_factor=2.5,
        start_s=2,
        start_cpu_s=2,
        peak_mb=300,
        others_share=others_share,
    )


def test_a_place_is_one_line_however_narrow_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LONG).touch()
    shown = io.StringIO()
    monkeypatch.setattr(rich, "get_console", lambda: Console(file=shown, width=60))
    print_results(_made("annotated_video"), _catalog(tmp_path / LONG), tmp_path / "sub")
    assert shown.getvalue() == f"video:      {tmp_path / LONG}\n"
    assert list(result_lines(_made("annotated_video"), _catalog(tmp_path / LONG), tmp_path)) == [
        f"video:      {LONG}"
    ]


def test_latencies_are_told_with_what_disturbed_them() -> None:
    report = SimpleNamespace(measured=[_measured(0.05), _measured(0.4)], failed=[])
    lines = list(
        result_lines(_made("deployment_report"), _catalog(deployment_report=report), Path.cwd())
    )
    assert lines == [
        "boxes 19 ms after their window, 24 ms at the 95th percentile "
        f"(eager, 1 thread, 5 M events/s{doubt})"
        for doubt in ("", "; other programs used 40 % of the machine")
    ]


def test_what_is_not_there_is_not_named(tmp_path: Path) -> None:
    assert not list(
        result_lines(_made("annotated_video"), _catalog(tmp_path / "none.mp4"), tmp_path)
    )


def test_what_could_not_be_read_is_counted_at_the_end() -> None:
    lines = list(result_lines(_made("quality"), _catalog(quality=Unreadable()), Path.cwd()))
    assert lines == ["1 of 1 recording could not be read; the quality report shows why"]


def test_the_headline_is_the_first_protocol() -> None:
    metrics = {"etram_8class": _metrics(1, AP=0.5612, AP_50=0.831), "coco": _metrics(2, AP=0.1)}
    (line,) = result_lines(_made("metrics"), _catalog(metrics=metrics), Path.cwd())
    assert line == "AP 0.561, AP50 0.831 (etram_8class, 1 box of test)"


def test_metrics_without_labels_are_not_shown_as_numbers() -> None:
    metrics = {"p": _metrics(0, AP=-1.0, AP_50=-1.0)}
    (line,) = result_lines(_made("metrics"), _catalog(metrics=metrics), Path.cwd())
    assert line == "no labels to compare with (p, test)"


def test_the_first_line_says_what_is_ahead_and_how_long_the_default_run_takes(
    session: OpenSession,
) -> None:
    with session("base") as active:
        catalog = active.load_context().catalog
    pipelines: dict[str, Pipeline] = register_pipelines()
    assert isinstance(catalog, DataCatalog)
    whole = outline(pipelines["__default__"], catalog, {"train": {"seed": 3}})
    steps = catalog.load("params:train").max_steps
    assert whole.split(": ")[1].split("; ")[0] == (
        f"check and encode the recordings → train the detector for {steps} steps → detect → "
        "follow road users → count traffic → compare with the labels → write the report"
    )
    assert "minutes on two cores" in whole
    changed = outline(pipelines["__default__"], catalog, {"train": {"max_steps": 9}})
    assert "minutes" not in changed
    some = pipelines["__default__"].filter(to_outputs=["metrics"])
    assert "minutes" not in outline(some, catalog, {})
    quality = outline(pipelines["quality"], catalog, {})
    assert quality.endswith("check the recordings")


def test_a_smaller_scene_is_not_said_to_take_the_time_of_the_default_one(
    session: OpenSession,
) -> None:
    with session("base") as active:
        catalog = active.load_context().catalog
    catalog["recordings"] = SceneRecordingsDataset(path="scene", settings={"num_train": 1})
    assert "minutes" not in outline(register_pipelines()["__default__"], catalog, {})
