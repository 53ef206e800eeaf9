"""A small site with known traffic."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.traffic.counting import Traffic, count_recording
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone

CLASSES = ("pedestrian", "car")

SITE = Site(
    image=Image(width=640, height=360),
    lines={
        "west": Line(points=((100, 350), (100, 10)), forward="in", backward="out"),
        "east": Line(points=((500, 10), (500, 350)), forward="in", backward="out"),
    },
    zones={"middle": Zone(polygon=((250, 10), (350, 10), (350, 350), (250, 350)))},
)
GROUND = Ground(
    points_px=((0, 0), (640, 0), (640, 360), (0, 360)),
    points_m=((0, 0), (64, 0), (64, 36), (0, 36)),
)

STEP_US = 50_000


def drive(track_id: int, xs: np.ndarray, y: float = 200, **values: float) -> TrackTable:
    """A track whose ground point is at `xs` in consecutive windows; a car of 40 x 30 px."""
    rows = empty_tracks(len(xs))
    rows["t"] = STEP_US * np.arange(1, len(xs) + 1)
    rows["track_id"], rows["class_id"], rows["w"], rows["h"] = track_id, 1, 40, 30
    for name, value in values.items():
        rows[name] = value
    rows["x"], rows["y"] = xs - rows["w"] / 2, y - rows["h"]
    return rows


def whole_way() -> np.ndarray:
    """From the left to the right border in 3 s."""
    return np.linspace(20, 620, 60)


@pytest.fixture
def make_traffic() -> Callable[..., Traffic]:
    """Counts tracks at a site: by default two cars to the east, one of the west only, one back."""

    def make(
        *tracks: TrackTable,
        site: Site = SITE,
        started_at: datetime | None = None,
        start_us: int = 0,
    ) -> Traffic:
        rows = np.concatenate(
            tracks
            or (
                drive(1, whole_way()),
                drive(2, whole_way(), y=300),
                drive(3, whole_way()[:30], y=150),
                drive(4, whole_way()[::-1], y=100, class_id=0),
            )
        )
        rows = rows[np.lexsort((rows["track_id"], rows["t"]))]
        observed = Observed(640, 360, start_us, 120_000_000, started_at)
        return count_recording(rows, site, observed, CountSettings(), CLASSES)

    return make


@pytest.fixture
def traffic(make_traffic: Callable[..., Traffic]) -> Traffic:
    """The default traffic, with known ground and clock."""
    site = SITE.model_copy(update={"ground": GROUND})
    return make_traffic(site=site, started_at=datetime(2026, 6, 1, 7, 59, 50, tzinfo=UTC))
