"""Sections of OTAnalytics."""

import json
import re
from typing import Any

import pytest
from tests.traffic.site_files.conftest import WriteFile

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.site import Image, Line, Site, Zone
from etram_pipeline.traffic.site_files import read_site

SENSOR = Image(width=800, height=600)


def section(what: str, *points: tuple[float, float], **members: object) -> dict[str, Any]:
    """A section as OTAnalytics 2 writes it."""
    return {
        "id": "1",
        "name": "Süd",
        "type": what,
        "relative_offset_coordinates": {"section-enter": {"x": 0.5, "y": 1.0}},
        "coordinates": [{"x": x, "y": y} for x, y in points],
        "plugin_data": {},
        **members,
    }


def flows(*sections: object) -> str:
    flow = {"id": "1", "name": "a", "start": "1", "end": "2", "distance": None}
    return json.dumps({"sections": sections, "flows": [flow]})


def test_lines_and_areas_are_read_and_cuts_left_out(
    write_file: WriteFile, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_file(
        flows(
            section("line", (43, 184), (137, 200), (352, 145)),
            section("area", (0, 0), (300, 0), (300, 300), (0, 0), name="Stau"),
            section("line", (1, 2), (3, 4), name="#cut 1"),
        ),
        "site.otflow",
    )
    assert read_site(path, SENSOR) == Site(
        image=SENSOR,
        lines={"Süd": Line(points=((43, 184), (137, 200), (352, 145)))},
        zones={"Stau": Zone(polygon=((0, 0), (300, 0), (300, 300)))},
    )
    assert caplog.messages == []


def test_files_of_early_versions_name_sections_by_their_id(
    write_file: WriteFile, caplog: pytest.LogCaptureFixture
) -> None:
    early = section(
        "line",
        (43, 184),
        (137, 200),
        id="Ost",
        relative_offset_coordinates={"section-enter": {"x": 0.7, "y": 0.2}},
    )
    del early["name"]
    site = read_site(write_file(flows(early), "site.OTflow"), SENSOR)
    assert list(site.lines) == ["Ost"]
    assert ["'Ost' at other points of a box" in each for each in caplog.messages] == [True]


MALFORMED = [
    ("[", "line 1: expecting value"),
    ("{}", "has no list of `sections`, so it is no file of OTAnalytics"),
    ('{"Detectors": {}, "Movements": {}}', "is of an old version of OTAnalytics"),
    (flows(3), "section 1: must be a mapping of keys to values, not 3"),
    (
        flows(section("line", (1, 2), (3, 4), name=7)),
        "section 1.name: must be text, not 7: put it in quotes",
    ),
    (
        flows(section("cut", (1, 2), (3, 4))),
        "section 1.type: must be 'line' or 'area', not 'cut'",
    ),
    (flows(section("line", coordinates=3)), "section 1.coordinates: must be a list, not 3"),
    (flows(section("line", coordinates=[{"x": 1}])), "section 1.coordinates.0.y: is missing"),
    (flows(section("line", (1, 2))), "line 'Süd': a line needs 2 points or more"),
    (
        flows(section("area", (1, 2), (30, 40), (1, 2))),
        "zone 'Süd': an area needs 3 points or more",
    ),
    (
        flows(section("line", (1, 2), (3, 4)), section("line", (1, 2), (3, 9))),
        "two sections are called 'Süd': rename one of them",
    ),
    (flows(section("line", (1, 2), (3000, 4))), "line 'Süd', point 2 (3000, 4) lies off the image"),
]


@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed_files_give_one_line(write_file: WriteFile, text: str, message: str) -> None:
    with pytest.raises(SiteError, match=re.escape(message)) as caught:
        read_site(write_file(text, "site.otflow"), SENSOR)
    assert "\n" not in str(caught.value)
