"""What a viewer had at each moment, against simulations that are easy to follow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.evaluation.conftest import Tables, rectangles

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation import compare, evaluate
from etram_pipeline.evaluation.intervals import with_intervals
from etram_pipeline.evaluation.latency import Schedule
from etram_pipeline.evaluation.protocol import COCO_IOU_THRESHOLDS, Protocol
from etram_pipeline.evaluation.protocols import NAMED, resolve_protocol
from etram_pipeline.evaluation.scoring import evaluate_with_matches, find_operating_scores
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

Make = Callable[..., Any]

STEP_US = 50_000
STEPS = st.lists(st.integers(1, 12), min_size=1, max_size=12)
LATENCIES = st.lists(st.integers(0, 30), min_size=1, max_size=4)


def known_by_ticks(stops: list[int], latencies: list[int], now: int) -> int:
    """End of the newest window known at a time, by a processor that is watched at every tick."""
    known, computed, done_at, result_of = -1, -1, None, -1
    turn = 0
    for tick in range(now + 1):
        while True:  # computations of no duration end in the tick in which they begin
            if done_at == tick:
                known, done_at = result_of, None
            waiting = [stop for stop in stops if computed < stop <= tick]
            if done_at is not None or not waiting:
                break
            computed = result_of = max(waiting)
            done_at = tick + latencies[turn % len(latencies)]
            turn += 1
    return known


@given(STEPS, LATENCIES, st.integers(0, 200))
def test_the_schedule_is_that_of_a_processor_watched_at_every_tick(
    steps: list[int], latencies: list[int], now: int
) -> None:
    stops = np.cumsum(steps)
    known = Schedule.of(stops, latencies).known_at(np.array([now]))
    assert known.tolist() == [known_by_ticks(stops.tolist(), latencies, now)]


@given(st.integers(1, 50), st.integers(0, 200), st.integers(0, 400))
def test_boxes_are_at_least_as_old_as_the_latency_and_no_older_than_two_and_a_step(
    step: int, latency: int, number: int
) -> None:
    stops = np.arange(1, 500) * step
    now = int(stops[0]) + latency + number % (400 * step)
    (known,) = Schedule.of(stops, [latency]).known_at(np.array([now]))
    assert latency <= now - known < 2 * latency + step


def test_a_processor_that_keeps_up_leaves_no_window_out() -> None:
    stops = np.arange(1, 6) * 50
    assert Schedule.of(stops, [50]).windows_us.tolist() == [50, 100, 150, 200, 250]
    # Free at 110, 170, 230 …: the window of 150 is over at 170, that of 200 at 230.
    slow = Schedule.of(stops, [60])
    assert slow.windows_us.tolist() == [50, 100, 150, 200, 250]
    assert slow.finished_us.tolist() == [110, 170, 230, 290, 350]
    slower = Schedule.of(stops, [120])
    assert slower.windows_us.tolist() == [50, 150, 250]
    assert slower.finished_us.tolist() == [170, 290, 410]


def test_measured_times_are_taken_in_turn() -> None:
    schedule = Schedule.of(np.arange(1, 6) * 50, [10, 120])
    assert schedule.windows_us.tolist() == [50, 100, 200, 250]
    assert schedule.finished_us.tolist() == [60, 220, 230, 370]


@pytest.mark.parametrize("name", NAMED)
def test_without_delay_every_named_protocol_gives_its_own_numbers(
    random_tables: Make, name: str
) -> None:
    labels, detections = random_tables(7)
    if NAMED[name].needs_masks:
        labels, detections = rectangles((labels, detections))
    searched = {key: np.arange(14) * 100_000 for key in labels}
    changes: dict[str, object] = {} if NAMED[name].classes_by == "id" else {"class_groups": {}}
    if NAMED[name].classes_by == "name":
        changes["class_names"] = ("car", "tram", "bus")
    plain = NAMED[name].model_copy(update={"name": "plain", **changes})
    at_once = plain.model_copy(update={"latency_ms": 0.0})
    expected, got = (
        evaluate_with_matches(labels, detections, protocol, searched_us=searched)
        for protocol in (plain, at_once)
    )
    same = {"protocol"}
    assert got[0].model_dump(exclude=same) == expected[0].model_dump(exclude=same)
    assert got[0].overall[plain.values[0].name] not in {0, -1}


def in_place(tables: Tables) -> Tables:
    """The same with a box of each class that stays where it is, in labels and in detections."""
    labels, detections = ({key: table.copy() for key, table in side.items()} for side in tables)
    rng = np.random.default_rng(1)
    for side in (labels, detections):
        for table in side.values():
            for name, spread in (("x", 6), ("y", 6), ("w", 0), ("h", 0)):
                table[name] = 60 + 90 * table["class_id"] + rng.normal(0, spread, len(table))
    return labels, detections


def moved_by_hand(
    labels: LabelTable, detections: DetectionTable, stops: list[int], latency: int
) -> DetectionTable:
    """For each labelled time a copy of the rows known then, found one time after another."""
    parts = []
    for now in sorted(set(labels["t"].tolist())):
        known = known_by_ticks([each // 1000 for each in stops], [latency], now // 1000) * 1000
        rows = detections[detections["t"] == known].copy()
        rows["t"] = now
        parts.append(rows)
    return np.concatenate(parts)


@pytest.mark.parametrize("latency_ms", [40, 130, 260])
@pytest.mark.parametrize("name", ["coco", "rvt_gen4", "etram_fork", "coco_masks"])
def test_all_values_are_those_of_the_boxes_known_at_each_label(
    random_tables: Make, name: str, latency_ms: int
) -> None:
    labels, detections = in_place(random_tables(3))
    if NAMED[name].needs_masks:
        labels, detections = rectangles((labels, detections))
    stops = (np.arange(14) * 100_000).tolist()
    moved = {
        key: moved_by_hand(table, detections[key], stops, latency_ms)
        for key, table in labels.items()
    }
    live = resolve_protocol({"like": name, "name": "live", "latency_ms": latency_ms})
    searched = {key: np.array(stops) for key in labels}
    scores = find_operating_scores(labels, moved, name)
    assert scores is not None
    found = find_operating_scores(labels, detections, live, searched_us=searched)
    assert found is not None
    names = {"protocol", "choices"}
    assert found.model_dump(exclude=names) == scores.model_dump(exclude=names)
    expected, matches = evaluate_with_matches(labels, moved, name, operating_scores=scores)
    got, got_matches = evaluate_with_matches(
        labels, detections, live, operating_scores=found, searched_us=searched
    )
    left_out = {"protocol"}
    assert with_intervals(got, got_matches, 50).model_dump(exclude=left_out) == with_intervals(
        expected, matches, 50
    ).model_dump(exclude=left_out)
    assert got.operating_point is not None
    assert sum(map(sum, got.confusion.counts)) > 0


def boxes_at(times_us: np.ndarray, px_per_s: float, dtype: np.dtype[Any]) -> LabelTable:
    """A box of 100 by 50 px that moves to the right."""
    table = np.zeros(len(times_us), dtype)
    table["t"], table["x"] = times_us, 10 + px_per_s * times_us / 1e6
    table["y"], table["w"], table["h"] = 20, 100, 50
    for name in {"score", "class_confidence", "class_score"} & set(dtype.names or ()):
        table[name] = 0.5
    return table


def ap_of(px_per_s: float, latency_ms: float | None, labelled: slice) -> float:
    stops = np.arange(1, 61) * STEP_US
    labels = boxes_at(stops[labelled], px_per_s, LABEL_DTYPE)
    detections = boxes_at(stops, px_per_s, DETECTION_DTYPE)
    protocol = Protocol(name="live", latency_ms=latency_ms)
    metrics = evaluate({"a": labels}, {"a": detections}, protocol, searched_us={"a": stops})
    return metrics.overall["AP"]


@given(st.integers(0, 400))
def test_what_stands_still_is_found_at_any_latency(latency_ms: int) -> None:
    assert ap_of(0, latency_ms, slice(17, None)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("latency_ms", "labelled", "age_ms"),
    [
        (0, slice(9, None), 0),
        (1, slice(9, None), 50),
        (50, slice(9, None), 50),
        # Every second window is left out: the boxes of one are known for two windows.
        (100, slice(10, None, 2), 100),
        (100, slice(9, None, 2), 150),
    ],
)
@pytest.mark.parametrize("px_per_s", [40, 100, 200, 400])
def test_what_moves_loses_the_overlap_of_its_way_meanwhile(
    px_per_s: int, latency_ms: int, labelled: slice, age_ms: int
) -> None:
    way_px = px_per_s * age_ms / 1000
    iou = (100 - way_px) / (100 + way_px)
    expected = np.mean([iou >= threshold for threshold in COCO_IOU_THRESHOLDS])
    assert ap_of(px_per_s, latency_ms, labelled) == pytest.approx(expected)


def test_nothing_is_known_before_the_first_window_is_computed() -> None:
    label, detection = (
        boxes_at(np.array([STEP_US, 2 * STEP_US]), 0, dtype)
        for dtype in (LABEL_DTYPE, DETECTION_DTYPE)
    )
    searched = {"a": np.array([STEP_US, 2 * STEP_US])}
    protocol = Protocol(name="live", latency_ms=20)
    metrics = evaluate({"a": label}, {"a": detection}, protocol, searched_us=searched)
    assert (metrics.num_labels, metrics.num_detections) == (2, 1)


def test_a_window_without_detections_takes_the_boxes_away() -> None:
    stops = np.array([50_000, 100_000, 150_000])
    labels = boxes_at(np.array([150_000]), 0, LABEL_DTYPE)
    detections = boxes_at(np.array([50_000]), 0, DETECTION_DTYPE)
    protocol = Protocol(name="live", latency_ms=40)
    for searched, number in ((stops, 0), (stops[[0]], 1)):
        metrics = evaluate({"a": labels}, {"a": detections}, protocol, searched_us={"a": searched})
        assert metrics.num_detections == number


def test_times_of_other_tools_are_read_and_not_cut_off() -> None:
    labels = boxes_at(np.array([5_000_000_000]), 0, LABEL_DTYPE)
    found = boxes_at(np.array([4_294_900_000]), 0, DETECTION_DTYPE)
    names = [
        ("ts", "<u4") if name == "t" else (name, found.dtype[name])
        for name in found.dtype.names or ()
    ]
    other = np.zeros(1, names)
    for name in found.dtype.names or ():
        other["ts" if name == "t" else name] = found[name]
    protocol = Protocol(name="live", latency_ms=40)
    searched = {"a": np.array([4_294_900_000])}
    assert evaluate({"a": labels}, {"a": other}, protocol, searched_us=searched).num_detections == 1


def test_windows_must_be_known() -> None:
    table = boxes_at(np.array([STEP_US]), 0, DETECTION_DTYPE)
    with pytest.raises(ProtocolError, match="needs the ends of all windows of a: pass searched_us"):
        evaluate({"a": table}, {"a": table}, Protocol(name="live", latency_ms=0))
    with pytest.raises(
        ValueError, match="1 of 1 detections of 'a' are at times at which no window"
    ):
        evaluate(
            {"a": table},
            {"a": table},
            Protocol(name="live", latency_ms=0),
            searched_us={"a": np.array([7])},
        )
    with pytest.raises(ValueError, match="'a' do not ascend"):
        evaluate(
            {"a": table},
            {"a": table},
            Protocol(name="live", latency_ms=0),
            searched_us={"a": np.array([STEP_US, STEP_US])},
        )


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"latency_ms": -1}, "greater than or equal to 0"),
        ({"latency_ms": float("inf")}, "finite number"),
        ({"latency_ms": []}, "empty list"),
        ({"latency_ms": 3, "frames": "all"}, "set frames to labelled, not all"),
    ],
)
def test_latencies_that_cannot_be_are_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        resolve_protocol({"name": "x"} | fields)


def test_a_protocol_without_latency_is_written_as_before() -> None:
    assert "latency_ms" not in Protocol(name="x").model_dump()
    live = Protocol(name="x", latency_ms=(40, 50.5))
    assert Protocol.model_validate_json(live.model_dump_json()) == live
    assert live.latencies_us == (40_000, 50_500)
    assert live.choices(("car",)) != Protocol(name="x").choices(("car",))


@pytest.mark.parametrize("turned", [False, True])
def test_results_with_another_latency_are_not_compared(*, turned: bool) -> None:
    table = boxes_at(np.array([STEP_US]), 0, DETECTION_DTYPE)
    sides = [
        evaluate({"a": table}, {"a": table}, protocol, searched_us={"a": np.array([STEP_US])})
        for protocol in (Protocol(name="x"), Protocol(name="x", latency_ms=40))
    ]
    with pytest.raises(ProtocolError, match=r"latency_ms (None and 40|40\.0 and None)"):
        compare(*(reversed(sides) if turned else sides))
