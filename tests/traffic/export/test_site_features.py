"""Lines and zones for other tools."""

import json
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.traffic.default_sites import border_site, grid_site
from etram_pipeline.traffic.export import otflow, site_features
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone
from etram_pipeline.traffic.site_files import read_site

SQUARE = ((0.0, 0.0), (300.0, 0.0), (300.0, 300.0), (0.0, 300.5))
SITE = Site(
    image=Image(width=640, height=480),
    lines={
        "north": Line(points=((10, 20), (30, 40.25), (30, 99)), forward="in", backward="out"),
        'süd: "2"': Line(points=((100, 200), (300, 200))),
    },
    zones={"queue": Zone(polygon=SQUARE)},
    ignore={"trees": Zone(polygon=SQUARE[:3])},
    ground=Ground(points_px=SQUARE, points_m=((0, 0), (30, 0), (30, 30), (0, 30))),
)


@pytest.mark.parametrize("site", [SITE, border_site(1280, 720), grid_site(304, 240)])
def test_geojson_in_px_is_read_back_equal(site: Site, tmp_path: Path) -> None:
    site_features.write_px(tmp_path / "site.geojson", site)
    assert read_site(tmp_path / "site.geojson") == site


def test_geojson_in_metres_leaves_out_what_lies_beyond_the_known_ground(tmp_path: Path) -> None:
    path = tmp_path / "site_m.geojson"

    def to_ground(places: np.ndarray) -> np.ndarray:
        return np.where(places[:, :1] < 299, places / 10, np.nan)

    left_out = site_features.write_metres(path, SITE, to_ground)
    assert left_out == ['süd: "2"', "queue", "trees"]
    content = json.loads(path.read_text())
    assert content["unit"] == "m"
    (feature,) = content["features"]
    assert feature["geometry"]["coordinates"] == [[1, 2], [3, 4.025], [3, 9.9]]
    assert feature["properties"] == {
        "name": "north",
        "kind": "line",
        "forward": "in",
        "backward": "out",
    }


def test_otflow_has_sections_and_a_flow_for_each_pair_of_lines(tmp_path: Path) -> None:
    otflow.write(tmp_path / "site.otflow", SITE)
    content = json.loads((tmp_path / "site.otflow").read_text())
    north, _, queue = content["sections"]
    assert north == {
        "id": "1",
        "name": "north",
        "type": "line",
        "relative_offset_coordinates": {"section-enter": {"x": 0.5, "y": 1.0}},
        "coordinates": [{"x": 10, "y": 20}, {"x": 30, "y": 40.25}, {"x": 30, "y": 99}],
        "plugin_data": {},
    }
    assert (queue["id"], queue["type"]) == ("3", "area")
    assert queue["coordinates"][0] == queue["coordinates"][-1]
    assert content["flows"] == [
        {"id": name, "name": name, "start": start, "end": end, "distance": None}
        for name, start, end in (
            ('north --> süd: "2"', "1", "2"),
            ('süd: "2" --> north', "2", "1"),
        )
    ]


def test_otflow_is_read_back_without_what_it_has_no_place_for(tmp_path: Path) -> None:
    otflow.write(tmp_path / "site.otflow", SITE)
    site = read_site(tmp_path / "site.otflow", SITE.image)
    assert {name: line.points for name, line in site.lines.items()} == {
        name: line.points for name, line in SITE.lines.items()
    }
    assert site.zones == SITE.zones
    assert (site.ignore, site.ground) == ({}, None)
