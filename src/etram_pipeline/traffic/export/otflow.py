"""Lines and zones as sections of OTAnalytics, and flows between all lines.

The middle of the lower edge of a box is what crosses, as it is here, and each ordered pair of lines
is a flow. Ignored zones, names of directions and ground points have no place in the format.

Source: files written by OpenTrafficCam's OTAnalytics.
"""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

from etram_pipeline.core.files import written_whole
from etram_pipeline.traffic.site import Point, Site
from etram_pipeline.traffic.site_files.otflow import GROUND_POINT

SUFFIX = ".otflow"


def write(path: Path, site: Site) -> None:
    """Write the sections and flows of a site."""
    lines = [
        _section(name, "line", line.points, str(number))
        for number, (name, line) in enumerate(site.lines.items(), start=1)
    ]
    areas = [
        _section(name, "area", (*zone.polygon, zone.polygon[0]), str(number))
        for number, (name, zone) in enumerate(site.zones.items(), start=len(lines) + 1)
    ]
    flows = [_flow(start, end) for start, end in permutations(lines, 2)]
    content = {"sections": [*lines, *areas], "flows": flows}
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def flow_name(start: str, end: str) -> str:
    """Name of the flow from one line to another."""
    return f"{start} --> {end}"


def _section(name: str, what: str, points: tuple[Point, ...], section_id: str) -> dict[str, Any]:
    return {
        "id": section_id,
        "name": name,
        "type": what,
        "relative_offset_coordinates": {"section-enter": GROUND_POINT},
        "coordinates": [{"x": x, "y": y} for x, y in points],
        "plugin_data": {},
    }


def _flow(start: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
    name = flow_name(start["name"], end["name"])
    return {"id": name, "name": name, "start": start["id"], "end": end["id"], "distance": None}
