"""How zones are used in each bin of time: occupancy, dwell and queues."""

import numpy as np
import pytest
from tests.traffic.walks import CLASSES, HEIGHT_PX, WIDTH_PX, Points, observed, together, walk

from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.queues import whole_seconds
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Ground, Image, Site, Zone
from etram_pipeline.traffic.tables import Columns, zone_rows

ZONE = Zone(polygon=((100.0, 0.0), (300.0, 0.0), (300.0, 100.0), (100.0, 100.0)))
GROUND = Ground(
    points_px=((0.0, 0.0), (400.0, 0.0), (400.0, 300.0), (0.0, 300.0)),
    points_m=((0.0, 30.0), (40.0, 30.0), (40.0, 0.0), (0.0, 0.0)),
)
"""Ten px are a metre."""


def standing(x: float, seconds: float, *, leaves: bool = True) -> Points:
    """Stands in the zone, then leaves it to the right within half a second."""
    rows = [(x, 50.0)] * round(20 * seconds)
    away = np.linspace(x, 350, 11)[1:].tolist()
    return [*rows, *((each, 50.0) for each in away)] if leaves else rows


def use(*tables: TrackTable, ground: Ground | None = GROUND, stop_s: int = 120) -> Columns:
    site = Site(image=Image(width=400, height=300), zones={"zone": ZONE}, ground=ground)
    settings = CountSettings(bins_min=(1,))
    recording = observed(stop_s * 1_000_000)
    traffic = count_recording(together(*tables), site, recording, settings, CLASSES)
    rows = zone_rows({"street": traffic})
    chosen = rows["class"] == "all"
    return {name: column[chosen] for name, column in rows.items()}


def test_nobody_leaves_zeros_and_no_dwell() -> None:
    found = use()
    for name in ("entries", "occupied", "mean_number", "queue_mean", "queue_p95", "queue_max"):
        assert found[name].tolist() == [0, 0], name
    assert found["queue_p95_m"].tolist() == [0, 0]
    assert np.isnan(found["dwell_median_s"]).all()


def test_a_stay_over_two_bins_occupies_both() -> None:
    found = use(walk([(200.0, 50.0)] * 801, start_us=40_000_000))
    assert found["entries"].tolist() == [1, 0]
    np.testing.assert_allclose(found["occupied"], [20 / 60, 20 / 60], atol=1e-3)
    np.testing.assert_allclose(found["mean_number"], [20 / 60, 20 / 60], atol=1e-3)
    assert found["dwell_median_s"][0] == 40


def test_two_at_once_occupy_once_and_number_two() -> None:
    tables = [walk([(200.0, 50.0)] * 201, k, start_us=k * 5_000_000) for k in (1, 2)]
    found = use(*tables)
    assert found["occupied"][0] == pytest.approx(15 / 60, abs=1e-3)
    assert found["mean_number"][0] == pytest.approx(20 / 60, abs=1e-3)
    assert (found["queue_max"][0], found["entries"][0]) == (2, 2)


def test_a_bin_observed_in_part_is_occupied_by_its_own_share() -> None:
    found = use(walk([(200.0, 50.0)] * 301, start_us=60_000_000), stop_s=90)
    assert found["observed_s"].tolist() == [60, 30]
    assert found["occupied"][1] == pytest.approx(0.5)


def test_the_queue_reaches_from_the_edge_of_leaving_to_the_last_in_it() -> None:
    tables = [walk(standing(x, 58), k) for k, x in enumerate((270.0, 220.0, 150.0), start=1)]
    found = use(*tables, walk([(float(x), 20.0) for x in range(50, 350, 5)], 9))
    assert found["queue_max"][0] == 3
    assert found["queue_p95"][0] == 3
    assert found["queue_mean"][0] == pytest.approx(3 * 58 / 59, abs=0.1)
    assert found["queue_p95_m"][0] == pytest.approx(15)


def test_without_ground_a_queue_is_told_by_box_sizes_and_has_no_metres() -> None:
    size = np.sqrt(HEIGHT_PX * WIDTH_PX)
    slow, quick = (
        walk([(120 + share * size * k / 20, 50.0) for k in range(200)], track_id)
        for track_id, share in ((1, 0.45), (2, 0.55))
    )
    found = use(slow, quick, ground=None)
    assert found["queue_max"][0] == 1
    assert np.isnan(found["queue_p95_m"]).all()


def test_a_queue_that_nobody_leaves_has_no_length() -> None:
    found = use(walk(standing(200, 50, leaves=False)))
    assert found["queue_max"].tolist() == [1, 0]
    np.testing.assert_array_equal(found["queue_p95_m"], [np.nan, 0])


@pytest.mark.parametrize(("on_clock_us", "first_us"), [(0, 2_000_000), (-30_750_000, 1_250_000)])
def test_seconds_are_whole_on_the_clock(on_clock_us: int, first_us: int) -> None:
    found = whole_seconds(1_000_000, 5_250_000, on_clock_us)
    assert found[0] == first_us
    assert np.diff(found).tolist() == [1_000_000] * (len(found) - 1)
    assert found[-1] + 1_000_000 > 5_250_000 >= found[-1]
