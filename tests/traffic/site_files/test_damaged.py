"""Whatever happens to a file of lines and zones, it is read or refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.traffic.export.test_site_features import SITE

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.export import otflow, site_features
from etram_pipeline.traffic.site import Image
from etram_pipeline.traffic.site_files import read_site, write_site

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["line", "LineString", "features", 1e308, -1, 2**70]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)

FORMATS = {
    "site.yml": write_site,
    "site.geojson": site_features.write_px,
    "site.otflow": otflow.write,
}


def check(path: Path) -> None:
    """Read a file, and check the message if that is refused."""
    try:
        read_site(path, Image(width=640, height=480))
    except SiteError as error:
        message = str(error)
    else:
        return
    assert str(path) in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_bytes(name: str, data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / name
    FORMATS[name](path, SITE)
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 40)))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=4)) + content[stop:])
    check(path)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_replaced_values(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """A value anywhere in the file becomes another one, of any type."""
    path = tmp_path / name
    FORMATS[name](path, SITE)
    content = SITE.model_dump(mode="json") if name == "site.yml" else json.loads(path.read_text())
    place: Any = {"root": content}
    key: Any = "root"
    while place[key] and isinstance(place[key], list | dict) and data.draw(st.integers(0, 5)):
        place = place[key]
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(VALUES)
    path.write_text(json.dumps(content))
    check(path)
