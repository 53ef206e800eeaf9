"""Lines and zones of geographic information systems."""

import json
import re
from typing import Any

import pytest
from tests.traffic.site_files.conftest import WriteFile

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.site import Image, Line, Site, Zone
from etram_pipeline.traffic.site_files import read_site, site_for

SENSOR = Image(width=1280, height=720)
LINE = [[444, 332], [587, 313]]
RING = [[0, 0], [300, 0], [300, 300], [0, 0]]


def feature(what: str, coordinates: object, **properties: object) -> dict[str, Any]:
    geometry = {"type": what, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: object, **members: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


def test_features_become_lines_zones_and_ignored_zones(write_file: WriteFile) -> None:
    path = write_file(
        collection(
            feature("LineString", LINE, name="north", kind="line", forward="in", backward="out"),
            feature("LineString", [[1, 2, 30.5], [3, 4, 30.5]], name=7, forward=None, id=1),
            feature("Polygon", [RING], name="queue"),
            feature("MultiPolygon", [[RING]], name="trees", kind="ignore"),
            crs={"type": "name"},
        ),
        "site.geojson",
    )
    triangle = Zone(polygon=((0, 0), (300, 0), (300, 300)))
    assert read_site(path, SENSOR) == Site(
        image=SENSOR,
        lines={
            "north": Line(points=((444, 332), (587, 313)), forward="in", backward="out"),
            "7": Line(points=((1, 2), (3, 4))),
        },
        zones={"queue": triangle},
        ignore={"trees": triangle},
    )


def test_rows_that_go_up_are_turned_down(write_file: WriteFile) -> None:
    upward = collection(
        feature("LineString", [[444, 2.5], [587, -313]], name="north"),
        feature("Polygon", [[[x, -y] for x, y in RING]], name="queue"),
    )
    site = read_site(write_file(upward, "site.json"), SENSOR)
    assert site.lines["north"].points == ((444, -2.5), (587, 313))
    assert site.zones["queue"].polygon == ((0, 0), (300, 0), (300, 300))


def test_size_and_ground_may_be_members_of_the_collection(write_file: WriteFile) -> None:
    ground = {"points_px": [*RING[:3], [0, 300]], "points_m": [[0, 0], [3, 0], [3, 3], [0, 3]]}
    image = {"width": 640, "height": 480}
    path = write_file(collection(image=image, ground=ground), "site.geojson")
    site = read_site(path, SENSOR)
    assert site.image == Image(width=640, height=480)
    assert site.ground is not None
    assert site.ground.points_m[1] == (3, 0)
    with pytest.raises(SiteError, match="640 x 480 px, but the sensor has 1280 x 720 px"):
        site_for(path, 1280, 720)


MALFORMED = [
    ("{", "line 1: expecting property name"),
    ("", "line 1: expecting value"),
    (f'{{"a": 1{"0" * 5000}}}', "exceeds the limit (4300 digits)"),
    ("[" * 100_000, "nested too deeply"),
    ("[]", "is no FeatureCollection of GeoJSON"),
    ('{"type": "FeatureCollection"}', "is no FeatureCollection of GeoJSON"),
    ('{"features": []}', "is no FeatureCollection of GeoJSON"),
    ('{"a": 1, "a": 2}', "the key 'a' is there twice: remove"),
    (collection(unit="m"), "has places in 'm', but lines and zones must be in px"),
    (collection(feature("LineString", [[float("nan"), 1], [2, 3]], name="a")), "the number NaN"),
    (collection(feature("LineString", [[1e999, 1], [2, 3]], name="a")), "the number Infinity"),
    (collection(1), "feature 1: must be a mapping of keys to values, not 1"),
    (collection({"type": "Feature", "geometry": None}), "feature 1.geometry: must be a mapping"),
    (
        collection({**feature("Polygon", [RING]), "properties": 3}),
        "feature 1.properties: must be a mapping",
    ),
    (collection(feature("LineString", LINE)), "feature 1.properties.name: is missing"),
    (collection(feature("LineString", LINE, name=True)), "feature 1.properties.name"),
    (collection(feature("Point", [1, 2], name="a")), "feature 1.geometry.type: must be"),
    (
        collection(feature("LineString", None, name="a")),
        "feature 1.geometry.coordinates: must be a list",
    ),
    (
        collection(feature("MultiLineString", [LINE, LINE], name="a")),
        "feature 1, 'a' has 2 parts instead of one",
    ),
    (collection(feature("Polygon", [RING, RING], name="a")), "'a' has 2 rings instead of one"),
    (collection(feature("Polygon", [], name="a")), "'a' has 0 rings instead of one"),
    (collection(feature("Polygon", [3], name="a")), "'a' has 1 rings instead of one"),
    (
        collection(feature("LineString", LINE, name="a", kind="lin")),
        "properties.kind: must be 'line', 'zone' or 'ignore', not 'lin'",
    ),
    (
        collection(feature("LineString", LINE, name="a", kind="zone")),
        "feature 1, 'a' is a LineString, which cannot be of the kind 'zone'",
    ),
    (
        collection(feature("LineString", LINE, name="a"), feature("LineString", LINE, name="a")),
        "feature 2: another line is called 'a' too: rename one of them",
    ),
    (
        collection(feature("LineString", LINE, name="a"), feature("Polygon", [RING], name="a")),
        "line and zone are both called 'a'",
    ),
    (collection(feature("LineString", [[1, 2], 3], name="a")), "line 'a', point 2: must be a list"),
    (
        collection(feature("LineString", [[1], [3, 4]], name="a")),
        "line 'a', point 1, y: is missing",
    ),
    (
        collection(feature("LineString", [[1, "b"], [3, 4]], name="a")),
        "point 1, y: must be a number",
    ),
    (
        collection(feature("LineString", [[7.61, 51.96], [7.62, 51.97]], name="a")),
        "line 'a': all points lie within 1 px",
    ),
    (
        collection(feature("LineString", [[412000, 5762000], [412030, 5762000]], name="a")),
        "line 'a', point 1 (412000, 5762000) lies off the image",
    ),
    (collection(image={"width": 0, "height": 1}), "image, width: must be greater than 0, not 0"),
]


@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed_files_give_one_line(write_file: WriteFile, text: str, message: str) -> None:
    path = write_file(text, "site.geojson")
    with pytest.raises(SiteError, match=re.escape(message)) as caught:
        read_site(path, SENSOR)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_without_a_size_the_message_says_where_to_add_it(write_file: WriteFile) -> None:
    path = write_file(collection(), "site.geojson")
    with pytest.raises(SiteError, match=r"add .image.: .* at its top level"):
        read_site(path)
