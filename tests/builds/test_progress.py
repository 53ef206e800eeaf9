import pytest

from etram_pipeline.builds.progress import BuildProgress, Interval, ProgressCounter
from etram_pipeline.core.counts import duration


def test_what_remains_is_told_by_bytes_to_read() -> None:
    progress = BuildProgress(
        num_done=1,
        num_all=4,
        num_events=30_000_000,
        num_bytes_done=750,
        num_bytes_all=1000,
        seconds=60.0,
    )

    assert progress.remaining_s == pytest.approx(20)
    assert str(progress) == "1 of 4 recordings, 30.0 million events, 500,000/s, 20 s to go"


@pytest.mark.parametrize(
    ("num_events", "seconds", "text"),
    [
        (62_000, 3.0, "62,000 events, 21,000/s"),
        (8, 1.0, "8 events, 8/s"),
        (9_999, 0.5, "9,999 events, 20,000/s"),
        (999_999, 1.0, "1,000,000 events, 1,000,000/s"),
        (1_350_000, 1.0, "1.4 million events, 1.4 million/s"),
    ],
)
def test_few_events_are_no_zero(num_events: int, seconds: float, text: str) -> None:
    assert str(BuildProgress(1, 1, num_events, 9, 9, seconds)) == f"1 of 1 recording, {text}"


def test_what_remains_is_told_by_recordings_where_nothing_is_read() -> None:
    progress = BuildProgress(1, 4, 0, 0, 0, 60.0)

    assert progress.remaining_s == pytest.approx(180)
    assert str(progress) == "1 of 4 recordings, 3 min 00 s to go"


def test_before_the_first_recording_nothing_is_known() -> None:
    assert BuildProgress(0, 4, 0, 0, 9, 0.0).remaining_s == 0
    assert BuildProgress(0, 4, 0, 0, 9, 0.0).events_per_s == 0
    assert str(BuildProgress(0, 4, 0, 0, 9, 30.0)) == "0 of 4 recordings"


def test_at_the_end_nothing_remains() -> None:
    assert str(BuildProgress(4, 4, 0, 9, 9, 60.0)) == "4 of 4 recordings"


def test_a_counter_counts_what_is_done() -> None:
    clock = ProgressCounter(num_all=3, num_bytes_all=60)
    clock.add(num_bytes=10, num_events=5)
    clock.add(num_bytes=20, num_events=6)

    progress = clock.read()

    assert (progress.num_done, progress.num_all) == (2, 3)
    assert (progress.num_bytes_done, progress.num_bytes_all) == (30, 60)
    assert progress.num_events == 11
    assert progress.seconds >= 0


def test_an_interval_passes_once_and_begins_anew() -> None:
    never, always = Interval(1000.0), Interval(0.0)

    assert not never.has_passed()
    assert always.has_passed()
    assert always.has_passed()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (200.0, "3 min 20 s"), (3_720.0, "1 h 02 min")],
)
def test_durations_are_told_as_a_person_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text
