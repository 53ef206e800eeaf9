"""Boxes around road users, in the layout of eTraM's label files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from etram_pipeline.core import etram
from etram_pipeline.core.mask_column import masked_dtype
from etram_pipeline.core.run_lengths import encode_masks
from etram_pipeline.scene.masks import SOLID, cover_visible, frame_index
from etram_pipeline.scene.placement import Placed
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.traffic import RoadUser

BoxTable = Shaped[np.ndarray, " N"]
"""Structured array of `box_dtype`, one row per box."""

BBOX_DTYPE = np.dtype(
    [
        ("t", "<u8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("w", "<f4"),
        ("h", "<f4"),
        ("class_id", "u1"),
        ("class_confidence", "<f4"),
        ("track_id", "<u4"),
    ]
)
"""Time in microseconds, top-left corner and size in px, class, confidence, track.

Source: eTraM's `_bbox.npy`; aayush-v/event_camera, `convert_npy.py`.
"""


def box_dtype(settings: SceneSettings) -> np.dtype[Any]:
    """Type of the rows of labels: `BBOX_DTYPE`, with a mask if the scene has masks."""
    return masked_dtype(BBOX_DTYPE) if settings.masks else BBOX_DTYPE


def label_frame(
    time_us: int,
    users: Sequence[RoadUser],
    placed: Sequence[Placed],
    settings: SceneSettings,
) -> BoxTable:
    """Boxes at one time, of the road users that are sufficiently visible.

    Args:
        time_us: The time, in microseconds.
        users: Road users in the scene, farthest first.
        placed: Their sprites, at that time only.
        settings: Settings of the scene: size of the sensor, minimum visibility and size, masks.

    Returns:
        One row of `box_dtype` per box, farthest first; positions and sizes in px of the sensor.
    """
    stride = max(1, round(2 * settings.scale))
    taken = np.zeros((settings.height // stride, settings.width // stride), np.bool_)
    covered = np.zeros((settings.height, settings.width), np.bool_)
    rows: list[tuple[object, ...]] = []
    for user, each in zip(reversed(users), reversed(placed), strict=True):
        seen = _seen_share(each, taken, stride)
        visible = cover_visible(each, covered) if settings.masks else None
        left, top, right, bottom = _box(each, settings.height, settings.width)
        size = right - left, bottom - top
        if seen < settings.min_visible or min(size) < settings.min_side_px * settings.scale:
            continue
        class_id = etram.CLASSES.index(user.class_name)
        mask = () if visible is None else encode_masks(visible[None])
        rows.append((time_us, left, top, *size, class_id, 1.0, user.track_id, *mask))
    return np.array(rows[::-1], box_dtype(settings))


def _box(placed: Placed, height: int, width: int) -> tuple[float, float, float, float]:
    """Corners of the opaque part, cropped at the border of the sensor."""
    first_row, last_row, first_column, last_column = placed.sprite.boxes[frame_index(placed)]
    left, top, scale = float(placed.left[0]), float(placed.top[0]), float(placed.scale[0])
    return (
        float(np.clip(left + first_column * scale, 0, width)),
        float(np.clip(top + first_row * scale, 0, height)),
        float(np.clip(left + (last_column + 1) * scale, 0, width)),
        float(np.clip(top + (last_row + 1) * scale, 0, height)),
    )


def _seen_share(placed: Placed, taken: Bool[np.ndarray, "H W"], stride: int) -> float:
    """Share of a road user that is on the sensor and not hidden; marks its area as taken."""
    opaque = placed.sprite.frames[frame_index(placed), 1] > SOLID
    left, top, scale = float(placed.left[0]), float(placed.top[0]), float(placed.scale[0])
    window = []
    samples = []
    for start, count, limit in (
        (top, opaque.shape[0], taken.shape[0]),
        (left, opaque.shape[1], taken.shape[1]),
    ):
        first = min(max(int(np.ceil(start / stride - 0.5)), 0), limit)
        stop = min(max(int(np.ceil((start + count * scale) / stride - 0.5)), first), limit)
        index = (((np.arange(first, stop) + 0.5) * stride - start) / scale).astype(np.int64)
        window.append(slice(first, stop))
        samples.append(np.minimum(np.maximum(index, 0), count - 1))
    own = opaque[np.ix_(*samples)]
    place = taken[tuple(window)]
    seen = np.count_nonzero(own & ~place)
    place |= own
    num_opaque = int(np.count_nonzero(opaque))
    return float(seen) / (max(num_opaque, 1) * (scale / stride) ** 2)
