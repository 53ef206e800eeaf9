"""What passes where, and when, in one recording."""

import numpy as np
import pytest
from tests.traffic.walks import CLASSES, Points, names, observed, rows_of, together, walk

from etram_pipeline.core.errors import SettingsError, SiteError
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.traffic.counting import Traffic, count_recording
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone

IMAGE = Image(width=400, height=300)
SITE = Site(
    image=IMAGE,
    lines={
        "west": Line(points=((100.0, 100.0), (100.0, 0.0)), forward="in", backward="out"),
        "east": Line(points=((200.0, 0.0), (200.0, 100.0)), forward="in", backward="out"),
    },
    zones={"middle": Zone(polygon=((120.0, 0.0), (180.0, 0.0), (180.0, 100.0), (120.0, 100.0)))},
)
ACROSS = [(float(x), 50.0) for x in range(60, 260, 10)]
SETTINGS = CountSettings()


def count(*tables: TrackTable, site: Site = SITE) -> Traffic:
    table = together(*tables)
    return count_recording(table, site, observed(60_000_000), SETTINGS, CLASSES)


def test_everything_is_counted_that_happens() -> None:
    traffic = count(walk(ACROSS), walk(ACROSS[::-1], 2, class_id=2, start_us=10_000_000))
    assert names(traffic.crossings, "line") == ["west", "east", "east", "west"]
    assert names(traffic.crossings) == ["in", "out", "in", "out"]
    assert traffic.crossings["class_id"].tolist() == [1, 1, 2, 2]
    assert names(traffic.movements, "origin") == ["west", "east"]
    assert names(traffic.movements, "destination") == ["east", "west"]
    assert names(traffic.stays, "zone") == ["middle", "middle"]
    assert len(traffic.tracks) == 40


def test_nothing_counts_where_nobody_is() -> None:
    traffic = count()
    tables = (traffic.crossings, traffic.movements, traffic.stays, traffic.zone_movements)
    assert [len(table) for table in (*tables, traffic.queued)] == [0, 0, 0, 0, 0]
    assert len(traffic.seconds_us) == 60


def test_a_site_without_lines_and_zones_counts_nothing() -> None:
    traffic = count(walk(ACROSS), site=Site(image=IMAGE))
    assert (len(traffic.crossings), len(traffic.stays), len(traffic.movements)) == (0, 0, 0)


def test_what_was_not_observed_does_not_count() -> None:
    table = walk(ACROSS)
    part = count_recording(table, SITE, observed(500_000, 100_000), SETTINGS, CLASSES)
    assert part.tracks["t"].tolist() == list(range(100_000, 500_001, 50_000))
    assert names(part.crossings, "line") == ["west"]


@pytest.mark.parametrize(
    ("points", "number"),
    [
        ([(150.0 + k % 2, 250.0) for k in range(20)], 0),
        ([(float(x), 250.0) for x in range(20, 400, 20)], 1),
    ],
    ids=["a tree", "a car that passes behind"],
)
def test_tracks_that_live_in_ignored_zones_do_not_count(points: Points, number: int) -> None:
    corners = ((120.0, 200.0), (180.0, 200.0), (180.0, 299.0), (120.0, 299.0))
    site = Site(
        image=IMAGE,
        lines={"line": Line(points=((151.0, 200.0), (151.0, 299.0)))},
        ignore={"tree": Zone(polygon=corners)},
    )
    traffic = count(walk(points), walk(ACROSS, 2), site=site)
    assert len(traffic.crossings) == number
    assert set(traffic.tracks["track_id"].tolist()) == ({1, 2} if number else {2})


def test_nothing_counts_where_all_tracks_live_in_ignored_zones() -> None:
    whole = Zone(polygon=((0.0, 0.0), (400.0, 0.0), (400.0, 300.0), (0.0, 300.0)))
    traffic = count(walk(ACROSS), site=SITE.model_copy(update={"ignore": {"all": whole}}))
    tables = (traffic.tracks, traffic.crossings, traffic.stays, traffic.queued)
    assert [len(table) for table in tables] == [0, 0, 0, 0]


def test_places_and_speeds_on_the_ground_are_filled_in() -> None:
    ground = Ground(
        points_px=((0.0, 0.0), (400.0, 0.0), (400.0, 300.0), (0.0, 300.0)),
        points_m=((0.0, 30.0), (40.0, 30.0), (40.0, 0.0), (0.0, 0.0)),
    )
    table = walk(ACROSS)
    traffic = count(table, site=SITE.model_copy(update={"ground": ground}))
    np.testing.assert_allclose(traffic.tracks["x_m"], np.arange(6, 26), rtol=1e-6)
    np.testing.assert_allclose(traffic.tracks["y_m"], 25, rtol=1e-6)
    np.testing.assert_allclose(traffic.tracks["speed_m_s"], 20, rtol=1e-5)
    np.testing.assert_allclose(traffic.crossings["speed_m_s"], 20, rtol=1e-5)
    assert np.isnan(table["x_m"]).all()


def test_a_site_of_another_sensor_is_refused() -> None:
    with pytest.raises(SiteError, match="400 x 300 px, but the sensor has 640 x 300"):
        count_recording(empty_tracks(), SITE, observed(1, width=640), SETTINGS, CLASSES)


def test_classes_that_the_tracks_do_not_have_are_refused() -> None:
    with pytest.raises(SettingsError, match="class id 7, but the largest of the classes ped"):
        count(walk(ACROSS, class_id=7))


def test_the_order_of_rows_in_a_window_and_the_ids_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    tables = [walk(np.cumsum(rng.normal(0, 20, (80, 2)), 0) + 150, k, k % 3) for k in range(1, 9)]
    table = together(*tables)
    shuffled = table[np.lexsort((rng.random(len(table)), table["t"]))]
    shuffled["track_id"] = 9 - shuffled["track_id"]
    wanted, found = (
        count_recording(each, SITE, observed(60_000_000), SETTINGS, CLASSES)
        for each in (table, shuffled)
    )
    assert len(wanted.crossings) > 10
    for name in ("crossings", "stays", "movements", "zone_movements"):
        there, here = getattr(wanted, name).copy(), getattr(found, name).copy()
        here["track_id"] = 9 - here["track_id"]
        assert rows_of(there) == rows_of(here)
