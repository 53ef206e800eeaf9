"""A wrong unit of time is told by spans and rates that no camera has, and by nothing else."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording
from etram_pipeline.quality.event_quality import EventQuality, EventStatistics
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.quality.time_unit import likely_unit

REAL = Path(__file__).parents[2] / "../shared/real"
HD = 720 * 1280
FACTORS = {"nanoseconds": 1e3, "milliseconds": 1e-3, "seconds": 1e-6}


def quality_of(num_events: int, duration_us: float, longest_gap_us: float = 0) -> EventQuality:
    return EventQuality(
        num_events=num_events,
        start_us=10**15,
        last_us=10**15 + int(duration_us),
        longest_gap_us=int(longest_gap_us),
    )


@pytest.mark.parametrize("unit", FACTORS)
@pytest.mark.parametrize("num_pixels", [HD, 480 * 640, 260 * 346, 120 * 160])
def test_a_thousand_events_in_a_tenth_of_a_second(unit: str, num_pixels: int) -> None:
    assert likely_unit(quality_of(1000, 100_000 * FACTORS[unit]), num_pixels) == unit
    assert likely_unit(quality_of(1000, 100_000), num_pixels) is None


@pytest.mark.parametrize("unit", FACTORS)
@given(rate_hz=st.floats(0.19e6, 5.4e6), duration_s=st.floats(7, 181))
def test_what_etram_holds_is_right_in_microseconds_and_named_in_all_else(
    unit: str, rate_hz: float, duration_s: float
) -> None:
    num_events, duration_us = int(rate_hz * duration_s), 1e6 * duration_s

    assert likely_unit(quality_of(num_events, duration_us), HD) is None
    assert likely_unit(quality_of(num_events, duration_us * FACTORS[unit]), HD) == unit


@pytest.mark.parametrize(
    ("num_events", "duration_s", "num_pixels"),
    [
        (219_596, 0.0088, HD),  # a burst of 25 million events a second
        (5_000, 0.045, HD),
        (4_407, 0.1, 54 * 61),
        (200, 600, HD),  # too few to tell
        (0, 0, HD),
        (1, 0, HD),
        (300_000, 60, HD),  # nothing moves, and the noise is filtered
        (60_000_000, 7200, HD),  # two quiet hours
        (36_000_000_000, 3600, HD),
        (300, 0.0001, 120 * 160),
    ],
)
def test_bursts_and_quiet_scenes_are_no_fault(
    num_events: int, duration_s: float, num_pixels: int
) -> None:
    assert likely_unit(quality_of(num_events, 1e6 * duration_s), num_pixels) is None


def test_one_time_of_another_age_is_no_unit() -> None:
    years_us = 50 * 365 * 86_400 * 1e6

    assert likely_unit(quality_of(10**6, years_us + 10**7, longest_gap_us=years_us), HD) is None


def test_equal_times_are_seconds_without_fractions() -> None:
    assert likely_unit(quality_of(1000, 0), HD) == "seconds"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not here")
@pytest.mark.parametrize(
    "name", sorted(path.name for path in REAL.glob("*") if path.suffix in {".raw", ".dat"})
)
def test_real_recordings_raise_no_doubt(name: str) -> None:
    recording = open_recording(REAL / name, size=(240, 304))
    statistics = EventStatistics(recording.height, recording.width, QualitySettings())
    for events in recording.read():
        assert isinstance(events, Events)
        statistics.add(events)

    found = statistics.result()

    assert found.num_kept > 0
    assert likely_unit(found, recording.height * recording.width) is None
    assert np.isfinite(found.rate_hz)
