"""The course of a recording in a line."""

import re

import numpy as np
import pytest

from etram_pipeline.quality.event_quality import EventQuality
from etram_pipeline.quality.job import RecordingQuality
from etram_pipeline.reports.sparkline import Course, course, draw


def recording(counts: list[int], moments: list[int], last_us: int) -> RecordingQuality:
    events = EventQuality(
        num_events=sum(counts), last_us=last_us, bin_us=1000, events_of_bin=tuple(counts)
    )
    return RecordingQuality(height=1, width=1, events=events, moments_of_bin=tuple(moments))


def test_rates_are_events_per_second_also_in_the_part_that_ends_early() -> None:
    shown = course(recording([10, 20, 5], [0, 1, 0], last_us=2500))
    assert shown.rates_hz.tolist() == [10_000, 20_000, 10_000]
    assert shown.moments.tolist() == [0, 1, 0]
    assert shown.peak_hz == 20_000


def test_a_last_part_of_a_moment_is_no_peak() -> None:
    shown = course(recording([10, 20, 5], [0, 1, 1], last_us=2001))
    assert len(shown.rates_hz) == 2
    assert shown.peak_hz == pytest.approx(25_000, rel=0.01)
    assert shown.moments.tolist() == [0, 2]


def test_long_recordings_are_drawn_in_few_points_that_lose_no_event() -> None:
    shown = course(recording([3] * 511, [1] * 511, last_us=511_000))
    assert len(shown.rates_hz) <= 120
    np.testing.assert_allclose(shown.rates_hz, 3000)
    assert shown.moments.sum() == 511


def test_a_recording_without_events_has_no_course() -> None:
    assert len(course(recording([], [], last_us=0)).rates_hz) == 0


def test_silence_and_labels_are_drawn_as_runs() -> None:
    rates = np.array([5.0, 0, 0, 5, 0, 5])
    moments = np.array([1, 0, 1, 0, 0, 1])
    svg = str(draw(Course(rates, moments), "a & b"))
    silent = re.search(r'class="silent" d="([^"]*)"', svg)
    labelled = re.search(r'class="labelled" d="([^"]*)"', svg)
    assert silent is not None
    assert labelled is not None
    assert silent[1].count("z") == 2
    assert silent[1].startswith("M40.0 0H120.0")
    assert labelled[1].count("z") == 2  # a single part between two labelled ones is closed
    assert "a &amp; b" in svg
