"""Windows of a stream against those of a recording."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streaming.streams import (
    EVENT,
    HEIGHT,
    STEPS_US,
    WIDTH,
    cut,
    cutter,
    encoding,
    events_at,
    parts,
    recorded,
)

from etram_pipeline.core.component import kinds
from etram_pipeline.core.errors import RecordingError, SettingsError
from etram_pipeline.core.recording import Events
from etram_pipeline.events import representations
from etram_pipeline.events.encode import encode
from etram_pipeline.events.held import Tally
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.streaming.cutter import WindowCutter

TIMES = st.builds(
    lambda start, steps: np.cumsum([start, *steps]).tolist(),
    st.sampled_from([-20_000, -3, 0, 50_000, 2**31, 10**15]),
    st.lists(STEPS_US, max_size=40),
)
EXTENTS = st.sampled_from(
    [
        {"step_ms": 20, "duration_ms": 20},
        {"step_ms": 20, "duration_ms": 50},
        {"step_ms": 50, "duration_ms": 20},
        {"step_ms": 50, "duration_ms": None, "num_events": 7},
    ]
)
FIELDS = {
    "bins": st.integers(1, 3),
    "downsample": st.sampled_from([None, "nearest", "sum"]),
    "overflow": st.sampled_from(["saturate", "wrap"]),
}
REPRESENTATIONS = st.one_of(
    [
        st.fixed_dictionaries(
            {
                "kind": st.just(kind),
                **{
                    name: values
                    for name, values in FIELDS.items()
                    if name in dict(RepresentationConfig.model_validate({"kind": kind}))
                },
            }
        )
        for kind in kinds(representations.__name__)
    ]
)
SIZES = st.lists(st.integers(0, 12), max_size=30)


@settings(deadline=None, max_examples=200)
@given(TIMES, EXTENTS, REPRESENTATIONS, SIZES, st.sampled_from([None, 2_000_000]))
def test_windows_are_those_of_a_recording_whatever_the_chunks(
    tmp_path_factory: pytest.TempPathFactory,
    times: list[int],
    windows: dict[str, object],
    representation: dict[str, object],
    sizes: list[int],
    jump_us: int | None,
) -> None:
    chosen = EncodingSettings.model_validate(
        {"windows": {"kind": "regular", **windows}, "representation": representation}
    )
    events = events_at(times, seed=len(times), margin=2)
    recording = recorded(tmp_path_factory.getbasetemp(), events)
    plan = chosen.windows.plan(np.empty(0, np.int64), 0, recording)
    wanted = list(encode(recording, plan, chosen.representation.build(HEIGHT, WIDTH)))
    tally = Tally()
    for part in recording.read():
        tally.add(part)
    cutting = cutter(chosen, jump_us=jump_us)

    found = list(cut(cutting, parts(events, sizes)))

    assert [window.stop_us for window in found] == plan.stop_us.tolist()
    assert [window.is_start for window in found] == [True] * (len(found) > 0) + [False] * (
        len(found) - 1
    )
    for window, image in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(window.image, image)
    counts = cutting.counts
    assert [getattr(counts, name) for name in vars(tally)] == list(vars(tally).values())
    assert counts.num_windows == len(found)
    assert counts.num_empty == sum(window.num_events == 0 for window in found)
    assert (counts.num_wild, counts.num_restarts, counts.num_crowded) == (0, 0, 0)


def test_a_window_is_whole_when_a_later_event_or_time_is_seen() -> None:
    cutting = cutter()

    assert list(cutting.push(events_at([10_000, 50_000]))) == []
    assert list(cutting.push(events_at([50_000]))) == []
    (window,) = cutting.push(events_at([50_001]))
    assert (window.stop_us, window.num_events, window.last_us) == (50_000, 3, 50_000)
    assert list(cutting.advance(100_000)) == []
    assert [window.num_events for window in cutting.advance(100_001)] == [3]


def test_silence_gives_empty_windows_as_time_passes() -> None:
    cutting = cutter()
    list(cutting.push(events_at(range(1_000_000, 1_010_001, 100))))

    found = list(cutting.push(1_320_000))

    assert [window.stop_us for window in found] == list(range(1_050_000, 1_320_000, 50_000))
    assert [window.num_events for window in found] == [101, 0, 0, 0, 0, 0]
    assert [window.is_silent for window in found] == [False] + [True] * 5
    assert cutting.counts.num_empty == 5


def test_windows_of_a_number_of_events_are_silent_where_they_repeat() -> None:
    cutting = cutter(encoding(duration_ms=None, num_events=5))
    list(cutting.push(events_at(range(0, 20_000, 100))))

    found = list(cutting.advance(170_000))

    assert [window.num_events for window in found] == [5, 5, 5]
    assert [window.is_silent for window in found] == [False, True, True]


def test_time_before_the_first_event_is_no_silence() -> None:
    cutting = cutter()

    assert list(cutting.advance(900_000)) == []
    found = list(cut(cutting, [events_at(range(10_000, 30_000, 100))]))
    assert [window.stop_us for window in found] == [50_000]
    assert cutting.counts.num_late == 0


def test_events_that_come_after_their_time_was_said_to_be_over_are_late() -> None:
    cutting = cutter()
    list(cutting.push(events_at(range(0, 20_000, 100))))
    list(cutting.advance(60_000))

    (window,) = cut(cutting, [events_at([55_000])])

    assert cutting.counts.num_late == 1
    assert window.last_us == 60_000


def test_more_windows_than_a_recording_may_have_are_refused_if_all_times_are_trusted() -> None:
    cutting = cutter(jump_us=None)

    with pytest.raises(RecordingError, match="19999999 windows"):
        list(cutting.push(events_at([0, 10**12])))


def test_events_that_no_memory_would_hold_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etram_pipeline.streaming.cutter.MOST_HELD", 300)
    cutting = cutter()
    stuck = events_at([40_000] * 500)

    found = list(cut(cutting, [stuck, stuck, events_at(range(60_000, 80_000, 100))]))

    assert [window.num_events for window in found] == [300, 199]
    assert cutting.counts.num_crowded == 701
    assert cutting.counts.num_events == 1200


def test_a_large_chunk_needs_no_more_memory_than_its_windows() -> None:
    events = np.zeros(3_000_000, EVENT)
    events["t"] = np.arange(len(events))

    def peak_bytes(num_events: int) -> int:
        cutting = cutter()
        tracemalloc.start()
        for window in cut(cutting, [events[:num_events]]):
            window.release()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak_bytes(1000)  # so that what is compiled and cached once does not count
    assert peak_bytes(3_000_000) < 1.1 * peak_bytes(1_500_000)


def test_released_images_are_drawn_on_again() -> None:
    cutting = cutter()
    images = set()
    for window in cut(cutting, parts(events_at(range(0, 500_000, 100)), [100] * 50)):
        images.add(id(window.image))
        window.release()

    assert len(images) == 1


def test_events_before_zero_and_of_a_cleaned_recording_are_counted() -> None:
    cutting = cutter()
    x = np.zeros(2, np.uint16)
    times = np.array([20, 30], np.int64)
    cleaned = Events(x, x, times, x.astype(np.uint8), num_dropped=3, num_late=1, num_early=2)

    list(cut(cutting, [events_at([-5, -3]), cleaned]))

    counts = cutting.counts
    assert (counts.num_events, counts.num_dropped, counts.num_late, counts.num_early) == (
        9,
        3,
        1,
        4,
    )


def test_windows_aligned_to_labels_become_regular_ones() -> None:
    events = events_at(range(0, 200_000, 100))

    found = list(cut(cutter(encoding(kind="label_aligned", step_ms=25)), [events]))

    assert [window.stop_us for window in found] == list(range(25_000, 200_001, 25_000))


def test_windows_of_another_kind_are_refused() -> None:
    chosen = encoding()
    object.__setattr__(chosen.windows, "kind", "by_hand")

    with pytest.raises(SettingsError, match="trained on by_hand ones"):
        cutter(chosen)


@pytest.mark.parametrize("size", [(0, 5), (5, 100_000)])
def test_a_sensor_has_a_size(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="height and width"):
        WindowCutter(encoding(), *size)
