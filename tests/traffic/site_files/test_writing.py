"""A site that is written is read back as it was."""

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etram_pipeline.traffic.default_sites import border_site, grid_site
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone
from etram_pipeline.traffic.site_files import read_site, write_site

SQUARE = ((0.0, 0.0), (300.0, 0.0), (300.0, 300.25), (0.0, 250.5))


@pytest.mark.parametrize(
    "site",
    [
        Site(image=Image(width=640, height=480)),
        border_site(1280, 720),
        grid_site(304, 240),
        Site(
            image=Image(width=640, height=480),
            lines={"no": Line(points=SQUARE[:2], forward="a: b", backward="#1")},
            zones={"it's": Zone(polygon=SQUARE)},
            ignore={"~": Zone(polygon=SQUARE)},
            ground=Ground(
                points_px=SQUARE,
                points_m=(
                    (5e5, 5.7e6),
                    (5e5 + 3, 5.7e6),
                    (5e5 + 3.5, 5.7e6 + 3),
                    (5e5, 5.7e6 + 0.5),
                ),
            ),
        ),
    ],
)
def test_sites_are_read_back_equal(site: Site, tmp_path: Path) -> None:
    write_site(tmp_path / "new" / "site.yml", site)
    assert read_site(tmp_path / "new" / "site.yml") == site


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.text(min_size=1, max_size=64)
    | st.text(string.punctuation + " \\", min_size=1, max_size=9),
    points=st.lists(
        st.tuples(st.floats(-30, 670), st.floats(-30, 510)), min_size=2, max_size=9, unique=True
    ),
)
def test_whatever_a_site_accepts_is_read_back_equal(
    name: str, points: list[tuple[float, float]], tmp_path: Path
) -> None:
    image = {"width": 640, "height": 480}
    try:
        site = Site.model_validate({"image": image, "lines": {name: {"points": points}}})
    except ValueError:
        return
    write_site(tmp_path / "site.yml", site)
    assert read_site(tmp_path / "site.yml") == site


def test_a_failure_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "site.yml"
    write_site(path, border_site(640, 480))

    def fail(*_: object, **__: object) -> None:
        raise OSError("full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="full"):
        write_site(path, grid_site(640, 480))
    assert read_site(path) == border_site(640, 480)
    assert list(tmp_path.iterdir()) == [path]
