"""Intervals of scores of tracks, comparisons with them, and the names that MLflow shows."""

import numpy as np
import pytest
from tests.evaluation.tracks.conftest import MakeTables, label_rows, track_rows

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.tracks.comparison import compare_tracks
from etram_pipeline.evaluation.tracks.intervals import find_track_intervals, with_track_intervals
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.result import TrackMetrics, flatten_track_metrics
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks

CLASSES = ("car", "night", "tram")


@pytest.fixture
def metrics(random_tables: MakeTables) -> TrackMetrics:
    tables = random_tables(0, num_recordings=8)
    return evaluate_tracks(*tables, TrackProtocol(name="own"), CLASSES)


def worse(random_tables: MakeTables) -> TrackMetrics:
    """Scores of the same labels with a third of the boxes missing."""
    labels, tracks = random_tables(0, num_recordings=8)
    fewer = {name: table[np.arange(len(table)) % 3 > 0] for name, table in tracks.items()}
    return evaluate_tracks(labels, fewer, TrackProtocol(name="own"), CLASSES)


def test_intervals_hold_the_values(metrics: TrackMetrics) -> None:
    found = with_track_intervals(metrics, rounds=200)
    for name in ("HOTA", "MOTA", "IDF1", "MOTP"):
        interval = found.intervals[name]
        assert interval.value == pytest.approx(metrics.overall[name], abs=1e-12)
        assert interval.low < interval.value < interval.high
    in_class, group = (
        found.interval_of("HOTA", class_name="night"),
        found.interval_of("HOTA", group="night"),
    )
    assert in_class is not None
    assert in_class.value == pytest.approx(metrics.per_class["night"].metrics["HOTA"])
    assert group is not None
    assert group.value == pytest.approx(metrics.groups["night"]["HOTA"])
    assert found.interval_of("HOTA", class_name="tram") == found.intervals["tram/HOTA"]
    assert TrackMetrics.model_validate_json(found.model_dump_json()) == found


def test_intervals_do_not_depend_on_the_order_of_recordings(metrics: TrackMetrics) -> None:
    backwards = metrics.model_copy(
        update={"recordings": dict(reversed(metrics.recordings.items()))}
    )
    assert find_track_intervals(backwards, 50)["HOTA"].low == pytest.approx(
        find_track_intervals(metrics, 50)["HOTA"].low
    )


def test_values_are_those_of_the_drawn_recordings(random_tables: MakeTables) -> None:
    labels, tracks = random_tables(1, num_recordings=2)
    protocol = TrackProtocol(name="own")
    twice = {f"{name}_{copy}": name for name in labels for copy in (0, 1)}
    several = evaluate_tracks(
        {name: labels[of] for name, of in twice.items()},
        {name: tracks[of] for name, of in twice.items()},
        protocol,
        CLASSES,
    )
    once = evaluate_tracks(labels, tracks, protocol, CLASSES)
    assert several.overall == pytest.approx(once.overall)


@pytest.mark.parametrize(
    ("rows", "message"),
    [([[(1, 0, 0, 9, 9, 1)]], "a single recording"), ([[], []], "there are no labels")],
)
def test_reason_is_given_where_there_is_no_interval(
    rows: list[list[tuple[float, ...]]], message: str, any_class: TrackProtocol
) -> None:
    labels = {f"r{number}": label_rows(*each) for number, each in enumerate(rows)}
    metrics = evaluate_tracks(labels, {name: track_rows() for name in labels}, any_class)
    found = with_track_intervals(metrics)
    assert found.intervals == {}
    assert message in found.no_intervals
    assert "rounds is 0" in with_track_intervals(metrics, rounds=0).no_intervals


def test_values_without_spread_have_no_interval(any_class: TrackProtocol) -> None:
    labels = {f"r{number}": label_rows((1, 0, 0, 9, 9, 1)) for number in range(3)}
    metrics = evaluate_tracks(labels, {name: track_rows() for name in labels}, any_class)
    assert "the same in every draw" in with_track_intervals(metrics).no_intervals


def test_fewer_boxes_are_worse_in_the_same_draws(
    metrics: TrackMetrics, random_tables: MakeTables
) -> None:
    found = compare_tracks([metrics], [worse(random_tables)], rounds=200)
    assert found["DetRe"].verdict == "degraded"
    assert found["MOTA"].high is not None
    assert found["MOTA"].high < 0
    assert "single run" in found["DetRe"].caution
    same = compare_tracks([metrics], [metrics], rounds=50)["car/HOTA"]
    assert (same.difference, same.low, same.high, same.verdict) == (0, 0, 0, "undecided")


def test_scores_of_other_choices_are_not_compared(metrics: TrackMetrics) -> None:
    other = metrics.protocol.model_copy(update={"match_iou": 0.7})
    for changes, message in (
        ({"protocol": other}, "match_iou 0.5 and 0.7"),
        ({"split": "val"}, "split"),
        ({"ground_truth": "x"}, "label files"),
        ({"recordings": {}}, "only one side has"),
    ):
        with pytest.raises(ProtocolError, match=message):
            compare_tracks([metrics], [metrics.model_copy(update=changes)])
    with pytest.raises(ValueError, match="both sides"):
        compare_tracks([], [metrics])


def test_names_of_mlflow_tell_split_protocol_and_class(metrics: TrackMetrics) -> None:
    found = flatten_track_metrics(with_track_intervals(metrics, rounds=50))
    assert found["test/own/HOTA"] == metrics.overall["HOTA"]
    assert found["test/own/IDSW"] == metrics.counts["IDSW"]
    assert found["test/own/car/IDF1"] == metrics.per_class["car"].metrics["IDF1"]
    assert found["test/own/day/HOTA"] == metrics.groups["day"]["HOTA"]
    assert found["test/own/HOTA_low"] < found["test/own/HOTA"] < found["test/own/HOTA_high"]
    # A class has the name of a group.
    assert found["test/own/class/night/HOTA"] == metrics.per_class["night"].metrics["HOTA"]
    assert "val/own/HOTA" in flatten_track_metrics(metrics, "val")


def test_values_without_labels_have_no_name(any_class: TrackProtocol) -> None:
    labels, tracks = label_rows(), track_rows((1, 0, 0, 9, 9, 1))
    found = flatten_track_metrics(evaluate_tracks({"r": labels}, {"r": tracks}, any_class, CLASSES))
    assert "test/any/HOTA" not in found
    assert not any("car" in name for name in found)
