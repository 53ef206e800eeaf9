"""Bins of time on the clock."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.traffic.walks import observed

from etram_pipeline.traffic.bins import clock_bins, clock_texts, clock_zero


def test_without_a_clock_bins_begin_at_time_zero() -> None:
    bins = clock_bins(1, observed(150_000_000), None)
    assert bins.starts_us.tolist() == [0, 60_000_000, 120_000_000]
    assert bins.observed_s.tolist() == [60, 60, 30]


def test_with_a_clock_bins_begin_on_it() -> None:
    zero = datetime.fromisoformat("2026-06-01T07:04:30.250+02:00")
    bins = clock_bins(5, observed(400_000_000, 1_000_000), zero)
    assert clock_texts(zero, bins.starts_us) == [
        "2026-06-01T07:00:00+02:00",
        "2026-06-01T07:05:00+02:00",
        "2026-06-01T07:10:00+02:00",
    ]
    assert bins.observed_s.tolist() == [28.75, 300, 70.25]


@pytest.mark.parametrize("offset", ["+05:45", "-03:30", ""])
def test_quarters_of_an_hour_are_those_of_the_local_clock(offset: str) -> None:
    zero = datetime.fromisoformat(f"2026-06-01T23:58:00{offset}")
    bins = clock_bins(15, observed(180_000_000), zero)
    texts = clock_texts(zero, bins.starts_us)
    assert texts == [f"2026-06-01T23:45:00{offset}", f"2026-06-02T00:00:00{offset}"]
    assert bins.observed_s.tolist() == [120, 60]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_the_offset_stays_when_summer_time_begins_or_ends(day: str) -> None:
    berlin = datetime.fromisoformat(f"{day}T01:30:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    zero = clock_zero(berlin, observed(1))
    assert zero is not None
    bins = clock_bins(60, observed(7_200_000_000), zero)
    texts = clock_texts(zero, bins.starts_us)
    assert [text[11:] for text in texts] == [f"0{hour}:00:00{texts[0][-6:]}" for hour in (1, 2, 3)]
    moments = [datetime.fromisoformat(text) for text in texts]
    assert moments[2] - moments[0] == timedelta(hours=2)


def test_the_setting_takes_precedence_over_the_recording() -> None:
    recording = observed(1, started_at="2026-06-01T07:00:00")
    said = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    assert clock_zero(said, recording) == said
    assert clock_zero(None, recording) == recording.started_at
    assert clock_zero(None, observed(1)) is None


def test_the_setting_says_when_the_recording_began_whatever_the_camera_clock_showed() -> None:
    began = datetime.fromisoformat("2026-06-01T07:30:00+02:00")
    recording = observed(1_000_000_000, start_us=913_700_000)
    zero = clock_zero(began, recording)
    assert clock_texts(zero, np.array([recording.start_us])) == [began.isoformat()]
    assert clock_bins(15, recording, zero).starts_us.tolist() == [recording.start_us]


def test_without_a_clock_texts_are_empty() -> None:
    assert clock_texts(None, np.array([1, 2])) == ["", ""]


def test_the_last_moment_belongs_to_the_last_bin() -> None:
    bins = clock_bins(1, observed(120_000_000), None)
    assert bins.index(np.array([0, 59_999_999, 60_000_000, 120_000_000])).tolist() == [0, 0, 1, 1]


@settings(deadline=None, max_examples=100)
@given(
    minutes=st.sampled_from([1, 5, 15, 60]),
    start_us=st.integers(-(10**9), 10**10),
    length_us=st.integers(0, 10**10),
    second=st.none() | st.integers(0, 86_399),
)
def test_bins_cover_what_was_observed_once(
    minutes: int, start_us: int, length_us: int, second: int | None
) -> None:
    zero = None if second is None else datetime(2026, 6, 1) + timedelta(seconds=second)
    bins = clock_bins(minutes, observed(start_us + length_us, start_us), zero)
    assert np.diff(bins.edges_us).tolist() == [minutes * 60_000_000] * len(bins.starts_us)
    assert bins.observed_s.sum() == pytest.approx(length_us / 1e6)
    assert ((bins.observed_s > 0) | (length_us == 0)).all()
    assert bins.index(np.array([start_us, start_us + length_us])).tolist() == [
        0,
        len(bins.starts_us) - 1,
    ]
