"""The picture of a site: what moved there, in px of the sensor."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageDraw

from etram_pipeline.core.files import written_whole
from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage, enlarge, font
from etram_pipeline.events.polarity import count_polarities
from etram_pipeline.stores.representation_store import StoredRepresentations
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable

GRID_PX = 100
"""Distance of the lines of the grid."""

_MAX_WINDOWS = 240
_MAX_TRACKS = 1500
"""More would take longer, and the picture would show no more."""

_SHARPER = 2
"""Trajectories are drawn on a larger picture, since lines have jagged edges."""

_BRIGHTEST = "#7a8699"
"""Pixels with most events; darker than trajectories."""

_HEADING_STEPS = 3
_LEAST_MOVE_PX = 0.5


def draw_still(frames: StoredRepresentations, tracks: TrackTable, observed: Observed) -> RgbImage:
    """Trajectories coloured by direction over the logarithm of events per pixel, with a grid.

    Time and memory do not grow with the length of the recording: at most 240 windows and 1,500
    tracks, spread evenly over it, are drawn.

    Args:
        frames: Representations of the recording.
        tracks: Its tracks; a trajectory is the middle of the lower edge of their boxes.
        observed: Its sensor, whose size the picture has.
    """
    events = _events_image(frames, observed)
    image = Image.fromarray(enlarge(events, _SHARPER))
    draw = ImageDraw.Draw(image, "RGBA")
    _draw_grid(draw, observed)
    for points in _trajectories(tracks):
        _draw_trajectory(draw, points)
    image = image.reduce(_SHARPER)
    _draw_coordinates(ImageDraw.Draw(image, "RGBA"), observed)
    return np.asarray(image)


def write_still(path: Path, still: RgbImage) -> None:
    """Write a still as a PNG, and beside it the world file that places it in a map program.

    One px is one unit, and y is the negative row, since maps grow upwards.
    """
    with written_whole(path) as partial:
        Image.fromarray(still).save(partial, format="png", optimize=True)
    with written_whole(path.with_suffix(".pgw")) as partial:
        # Size of a px, two rotations, and the middle of the upper left px.
        partial.write_text("1\n0\n0\n-1\n0.5\n-0.5\n")


def _events_image(frames: StoredRepresentations, observed: Observed) -> RgbImage:
    """Logarithm of the events of each pixel of the sensor, from dark to light grey."""
    total = np.zeros((frames.height, frames.width))
    spread = np.linspace(0, frames.num_windows - 1, min(_MAX_WINDOWS, frames.num_windows))
    for window in np.rint(spread).astype(int).tolist():
        for counts in count_polarities(frames.drawn(frames.read(window, window + 1)[0])):
            total += counts
    by = frames.downsampled_by
    level = np.log1p(total.repeat(by, axis=0).repeat(by, axis=1))
    active = level[level > 0]
    level /= np.percentile(active, 99.5) if active.size else 1.0
    dark, light = (
        np.array(palette.rgb(colour), np.float64) for colour in (palette.NO_EVENTS, _BRIGHTEST)
    )
    found = np.rint(dark + level.clip(0, 1)[..., None] * (light - dark)).astype(np.uint8)
    found = found[: observed.height, : observed.width]
    missing = (observed.height - found.shape[0], observed.width - found.shape[1])
    picture: RgbImage = np.pad(found, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    return picture


def _trajectories(tracks: TrackTable) -> Iterator[Float64[np.ndarray, "T 2"]]:
    """Ground points of tracks in order of time."""
    ids = np.unique(tracks["track_id"])
    if len(ids) > _MAX_TRACKS:
        ids = ids[np.linspace(0, len(ids) - 1, _MAX_TRACKS).astype(int)]
        tracks = tracks[np.isin(tracks["track_id"], ids)]
    rows = tracks[np.lexsort((tracks["t"], tracks["track_id"]))]
    points = np.stack([rows["x"] + rows["w"] / 2, rows["y"] + rows["h"]], axis=1, dtype=np.float64)
    yield from np.split(points, np.flatnonzero(np.diff(rows["track_id"])) + 1)


def _draw_trajectory(draw: ImageDraw.ImageDraw, points: Float64[np.ndarray, "T 2"]) -> None:
    """Draw each step in the colour of the direction around it."""
    last = len(points) - 1
    steps = np.arange(last)
    later = points[np.minimum(steps + 1 + _HEADING_STEPS, last)]
    earlier = points[np.maximum(steps - _HEADING_STEPS, 0)]
    corners = (points * _SHARPER).tolist()
    colour = ""
    for step, (x, y) in enumerate((later - earlier).tolist()):
        if not colour or math.hypot(x, y) >= _LEAST_MOVE_PX:
            colour = palette.direction_colour(math.atan2(y, x))
        draw.line((*corners[step], *corners[step + 1]), fill=colour, width=_SHARPER + 1)


def _draw_grid(draw: ImageDraw.ImageDraw, observed: Observed) -> None:
    grey = (*palette.rgb(palette.PANEL_MUTED), 60)
    width, height = observed.width * _SHARPER, observed.height * _SHARPER
    for x in range(GRID_PX * _SHARPER, width, GRID_PX * _SHARPER):
        draw.line((x, 0, x, height), fill=grey, width=1)
    for y in range(GRID_PX * _SHARPER, height, GRID_PX * _SHARPER):
        draw.line((0, y, width, y), fill=grey, width=1)


def _draw_coordinates(draw: ImageDraw.ImageDraw, observed: Observed) -> None:
    """Write columns at the upper edge and rows at the left one."""
    columns, rows = (range(GRID_PX, size, GRID_PX) for size in (observed.width, observed.height))
    for place in [*((x, 0) for x in columns), *((0, y) for y in rows)]:
        draw.text(
            (place[0] + 3, place[1] + 2),
            str(max(place)),
            fill=palette.PANEL_INK,
            font=font(11),
            stroke_width=2,
            stroke_fill=palette.PANEL,
        )
