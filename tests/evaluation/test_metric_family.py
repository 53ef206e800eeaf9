"""Every metric keeps its declaration, and another one is one more file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.evaluation.conftest import rectangles

import etram_pipeline.evaluation.metrics as family
from etram_pipeline.core.component import kinds
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.datasets.metrics import MetricsDataset
from etram_pipeline.evaluation import compare, evaluate
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.result import Metrics, flatten_metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.reports.figures import draw_report_figures
from etram_pipeline.reports.page import ReportContent, write_page
from etram_pipeline.reports.tables import class_table, condition_table, protocol_table
from etram_pipeline.reports.wording import protocol_facts
from etram_pipeline.training.scoring import ValidationScore

Make = Callable[..., Any]


def counting(**changes: object) -> dict[str, object]:
    """The choice of a protocol that measures the count error before average precision."""
    metrics = [{"kind": "count_error", **changes}, {"kind": "average_precision"}]
    return {"like": "coco", "name": "counting", "metrics": metrics}


@pytest.fixture
def counted(count_error: str, random_tables: Make) -> Callable[..., Metrics]:
    """Evaluates random tables with the count error."""

    def run(step: int = 1, **changes: object) -> Metrics:
        labels, detections = random_tables(3, num_recordings=2)
        fewer = {name: table[::step] for name, table in detections.items()}
        return evaluate(labels, fewer, resolve_protocol(counting(**changes)))

    assert count_error in kinds(family.__name__)
    return run


@pytest.mark.parametrize("kind", kinds(family.__name__))
@pytest.mark.parametrize("num_recordings", [0, 3])
def test_a_metric_measures_what_it_declares(
    random_tables: Make, label_table: Make, detection_table: Make, kind: str, num_recordings: int
) -> None:
    protocol = Protocol.model_validate({"name": "x", "metrics": [{"kind": kind}]})
    names = [value.name for value in protocol.values]
    labels, detections = random_tables(5, num_recordings=num_recordings)
    if protocol.needs_masks:
        labels, detections = rectangles((labels, detections))
    labels, detections = (
        labels | {"empty": label_table()},
        detections | {"empty": detection_table()},
    )
    metrics = evaluate(labels, detections, protocol)
    assert list(metrics.overall) == names
    for part in (*metrics.groups.values(), *(each.metrics for each in metrics.per_class.values())):
        assert set(part) <= set(names)
    assert set(protocol.shown("headline")) <= set(protocol.values)
    assert protocol.monitored.title
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol


def test_average_precision_is_measured_by_default() -> None:
    protocol = Protocol(name="x")
    assert [metric.kind for metric in protocol.metrics] == ["average_precision"]
    assert (protocol.monitored.name, protocol.monitored.mode) == ("AP", "max")
    stored = protocol.model_dump() | {"name": "x"}
    del stored["metrics"]  # as in metrics files that were written before there was a choice
    assert Protocol.model_validate(stored) == protocol


@pytest.mark.parametrize(
    ("metrics", "complaint"),
    [
        ([], "at least 1 item"),
        ([{"kind": "average_precision"}] * 2, "two metrics report AP, AP_50"),
        ([{"kind": "hota"}], "unknown kind 'hota'"),
    ],
)
def test_metrics_that_cannot_be_are_refused(metrics: list[Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Protocol.model_validate({"name": "x", "metrics": metrics})


def test_a_metric_of_ones_own_is_in_the_file_and_in_mlflow(
    counted: Callable[..., Metrics], tmp_path: Path
) -> None:
    metrics = counted()
    dataset = MetricsDataset(filepath=str(tmp_path / "metrics.json"))
    dataset.save({"counting": metrics})
    assert dataset.load() == {"counting": metrics}
    stored = json.loads((tmp_path / "metrics.json").read_text())["counting"]
    assert stored["protocol"]["metrics"][0] == {
        "kind": "count_error",
        "least_score": 0.5,
        "of": "boxes",
    }
    assert stored["overall"]["count_error"] == metrics.overall["count_error"] > 0
    flat = flatten_metrics(metrics)
    assert flat["test/counting/count_error"] == metrics.overall["count_error"]
    assert flat["test/counting/day/count_error"] == metrics.groups["day"]["count_error"]
    assert flat == dataset.numbers({"counting": metrics})
    assert set(flat) >= {"test/counting/AP", "test/counting/class_1/AP_50"}
    assert dict(dataset.preview())["columns"][:3] == ["protocol", "count_error", "AP"]


def test_the_day_alone_is_counted_as_if_there_was_no_night(
    counted: Callable[..., Metrics], random_tables: Make
) -> None:
    labels, detections = random_tables(3, num_recordings=2)
    (day,) = [name for name in labels if "day" in name]
    alone = evaluate({day: labels[day]}, {day: detections[day]}, resolve_protocol(counting()))
    assert counted().groups["day"] == alone.overall


def test_a_metric_of_ones_own_is_compared(counted: Callable[..., Metrics]) -> None:
    before, after = counted(step=2), counted()
    changes = compare(before, after)
    assert changes["count_error"] == after.overall["count_error"] - before.overall["count_error"]
    with pytest.raises(ProtocolError, match=r"metrics .*least_score.*0\.5"):
        compare(before, counted(least_score=0.1))


@pytest.mark.usefixtures("count_error")
def test_a_metric_of_ones_own_selects_the_best_checkpoint(label_table: Make) -> None:
    labels = {"a": label_table((100, 0, 0, 10, 10, 0), (100, 50, 0, 10, 10, 0))}
    score = ValidationScore(labels, {"a": 1}, ("car",), counting())
    monitor = score.monitor
    assert (monitor.name, monitor.mode) == ("val/counting/count_error", "min")
    assert list(monitor.titles.values()) == ["count error", "AP", "AP50"]
    assert monitor.is_better(2.0, monitor.worst)
    assert not monitor.is_better(3.0, 2.0)
    assert score.compute()[monitor.name] == 2


def test_a_metric_of_ones_own_is_reported(counted: Callable[..., Metrics]) -> None:
    metrics = counted()
    assert class_table(metrics).header[3:5] == ("count error", "AP")
    assert class_table(metrics).rows[0][3] == "\N{EN DASH}"
    assert condition_table(metrics).rows[0][2] == metrics.overall["count_error"]
    others = {"counting": metrics, "coco": counted()}
    assert protocol_table(others).header[1:3] == ("count error", "AP")
    assert protocol_facts(metrics.protocol)[-2].startswith("Boxes with a score of 0.5")
    history = [
        {"step": step, "name": "val/counting/count_error", "value": value}
        for step, value in ((1, 9.0), (2, 4.0), (3, 5.0))
    ]
    figures = draw_report_figures({"counting": metrics}, history, "counting")
    legend = figures["validation"].axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["count error  4.00"]
    page = write_page(ReportContent({"counting": metrics}, "counting", figures))
    assert "Boxes too many or too few." in page


@pytest.mark.usefixtures("count_error")
def test_without_average_precision_its_figures_are_left_out(random_tables: Make) -> None:
    choice = {"like": "coco", "name": "only", "metrics": [{"kind": "count_error"}]}
    labels, detections = random_tables(3)
    metrics = evaluate(labels, detections, resolve_protocol(choice))
    figures = draw_report_figures({"only": metrics}, None, "only")
    assert sorted(figures) == ["class_precision", "condition_precision", "confusion"]
    assert "only" in write_page(ReportContent({"only": metrics}, "only", figures))


@pytest.mark.usefixtures("count_error")
def test_a_metric_is_chosen_in_the_parameters() -> None:
    settings = EvaluateSettings.model_validate({"protocols": ["coco", counting(least_score=0.2)]})
    assert EvaluateSettings.model_validate_json(settings.model_dump_json()) == settings
    assert settings.protocols[1].metrics[0].model_dump()["least_score"] == 0.2
