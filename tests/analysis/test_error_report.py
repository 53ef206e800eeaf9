"""Costs by class, size and light, and the names they are logged by."""

from collections.abc import Callable

import pytest
from tests.analysis.conftest import compare_recordings, random_evidence

from etram_pipeline.analysis.error_report import ErrorReport, flatten_errors, measure_errors
from etram_pipeline.analysis.errors import judge_evidence
from etram_pipeline.analysis.judgement import KINDS
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Evidence

CAR = (100, 0, 0, 40, 40, 0)


def report_of(evidence: Evidence) -> ErrorReport:
    return measure_errors(evidence, judge_evidence(evidence))


def test_a_wrong_class_costs_both_classes_and_counts_in_the_one_detected(
    compare: Callable[..., Evidence],
) -> None:
    labels = [CAR, (100, 100, 0, 40, 40, 1)]
    found = [(100, 0, 0, 40, 40, 1, 0.9), (100, 100, 0, 40, 40, 1, 0.8)]
    report = report_of(compare(labels, found))
    assert report.overall.main == "class"
    assert {name: part.gains["class"] for name, part in report.per_class.items()} == {
        "car": pytest.approx(1),
        "tram": pytest.approx(0.5),
        "bus": -1,
    }
    assert {name: part.counts["class"] for name, part in report.per_class.items()} == {
        "car": 0,
        "tram": 1,
        "bus": 0,
    }
    assert report.overall.gains["class"] == pytest.approx(0.75)


def test_repairs_of_one_size_leave_the_mistakes_of_others(
    compare: Callable[..., Evidence],
) -> None:
    labels = [(100, 0, 0, 10, 10, 0), (100, 100, 0, 200, 200, 0)]  # small and large
    found = [(100, 0, 0, 10, 10, 0, 0.9), (100, 100, 0, 200, 60, 0, 0.8)]  # the large one misplaced
    report = report_of(compare(labels, found))
    gains = {size: part.gains["location"] for size, part in report.per_size.items()}
    assert gains == {"S": 0, "M": 0, "L": pytest.approx(report.overall.gains["location"])}
    assert gains["L"] == pytest.approx(50 / 101)
    assert report.per_size["L"].counts["location"] == 1
    assert report.per_size["M"].counts["location"] == 0  # its own size does not count


def test_recordings_by_day_and_by_night_have_costs_of_their_own() -> None:
    right = (100, 0, 0, 40, 40, 0, 0.9)
    report = report_of(
        compare_recordings({"test/day_1": ([CAR], [right]), "test/night_1": ([CAR], [])})
    )
    day, night = report.per_light["day"], report.per_light["night"]
    assert day.average_precision == pytest.approx(1)
    assert day.gains["missed"] == 0
    assert (night.average_precision, night.gains["missed"]) == (0, 1)
    assert (night.false_negatives, night.counts["missed"]) == (1, 1)
    assert report.overall.gains["missed"] == pytest.approx(50 / 101)


def test_costs_of_a_light_are_those_of_its_recordings_evaluated_alone() -> None:
    evidence = random_evidence(5)
    report = report_of(evidence)
    for light, part in report.per_light.items():
        names = [name for name in evidence.recordings if light in name]
        alone = evaluate(
            {name: evidence.labels[name] for name in names},
            {name: evidence.detections[name] for name in names},
            evidence.protocol,
            evidence.class_names,
        )
        assert part.average_precision == pytest.approx(alone.overall["AP_50"], abs=1e-12)


def test_without_false_positives_precision_is_one_as_far_as_anything_is_found(
    compare: Callable[..., Evidence],
) -> None:
    labels = [CAR, (100, 100, 0, 40, 40, 0)]
    found = [(100, 200, 0, 40, 40, 0, 0.9), (100, 0, 0, 40, 40, 0, 0.8)]
    costs = report_of(compare(labels, found)).overall
    assert costs.average_precision == pytest.approx(51 / 202)
    assert costs.false_positives == pytest.approx(51 / 202)
    assert costs.false_negatives == pytest.approx(0.5 - 51 / 202)


def test_names_hold_kind_and_group_and_leave_out_what_has_no_labels(
    compare: Callable[..., Evidence],
) -> None:
    flat = flatten_errors(report_of(compare([CAR], [])))
    assert flat["test/small/errors/missed"] == 1
    assert flat["test/small/errors/missed/class/car"] == 1
    assert flat["test/small/errors/missed/size/M"] == 1
    assert flat["test/small/errors/fn"] == 1
    assert {name.split("/")[3] for name in flat} == {*KINDS, "fp", "fn"}
    assert "test/small/errors/fn/class/car" not in flat  # of groups, the kinds are enough
    assert not [name for name in flat if "bus" in name or "light" in name]


def test_without_labels_there_is_no_cost(compare: Callable[..., Evidence]) -> None:
    report = report_of(compare([], [(100, 0, 0, 40, 40, 0, 0.9)], frames="all"))
    assert report.overall.main is None
    assert report.overall.average_precision == -1
    assert flatten_errors(report) == {}


def test_a_protocol_that_ignores_classes_has_no_costs_by_class(
    compare: Callable[..., Evidence],
) -> None:
    report = report_of(compare([CAR], [], class_aware=False))
    assert report.per_class == {}
    assert report.overall.gains["missed"] == 1


def test_a_report_survives_its_file(compare: Callable[..., Evidence]) -> None:
    report = report_of(compare([CAR], [(100, 0, 0, 40, 10, 0, 0.9)]))
    assert ErrorReport.model_validate_json(report.model_dump_json()) == report
