"""Share of a box that other labelled boxes of its moment cover, in front of it or behind it."""

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.analysis.attributes.attribute import Attribute, LabelledRecording
from etram_pipeline.evaluation.assignment import find_overlaps
from etram_pipeline.evaluation.matching import FrameBoxes

_TOUCHING = 1e-12
"""Least overlap of boxes that share an area."""


def _measure(recording: LabelledRecording) -> Float64[np.ndarray, " N"]:
    labels = recording.labels
    times_us = labels["t"].astype(np.int64)
    order = np.argsort(times_us, kind="stable")
    boxes = np.stack([labels[side] for side in "xywh"], axis=1)[order].astype(np.float32)
    frames = np.unique(times_us[order], return_inverse=True)[1].astype(np.int64)
    zeros = np.zeros(len(order), np.int64)
    framed = FrameBoxes(frames, boxes, zeros, np.zeros(len(order)))
    pairs = find_overlaps(framed, framed, frames, frames, _TOUCHING)
    others = pairs.take(pairs.detections != pairs.labels)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float64)
    covered = np.zeros(len(order))
    starts = np.flatnonzero(np.diff(others.detections, prepend=-1))
    for row, group in zip(
        others.detections[starts], np.split(others.labels, starts[1:]), strict=False
    ):
        covered[row] = _covered(corners[row], corners[group])
    shares = np.zeros(len(order))
    shares[order] = covered
    return shares


def _covered(box: Float64[np.ndarray, " 4"], others: Float64[np.ndarray, "M 4"]) -> float:
    """Share of a box that the others cover together; all are left, top, right, bottom."""
    low, high = box[:2], box[2:]
    parts = np.concatenate([others[:, :2].clip(low, high), others[:, 2:].clip(low, high)], axis=1)
    if len(parts) == 1:
        return float(np.prod(parts[0, 2:] - parts[0, :2]) / np.prod(high - low))
    columns, rows = (np.unique(parts[:, [axis, axis + 2]]) for axis in (0, 1))
    is_covered = np.zeros((len(rows) - 1, len(columns) - 1), bool)
    first, last = _cells(parts[:, 0], columns), _cells(parts[:, 2], columns)
    top, bottom = _cells(parts[:, 1], rows), _cells(parts[:, 3], rows)
    for each in range(len(parts)):
        is_covered[top[each] : bottom[each], first[each] : last[each]] = True
    areas = np.diff(rows)[:, None] * np.diff(columns)
    return float(areas[is_covered].sum() / np.prod(high - low))


def _cells(
    values: Float64[np.ndarray, " M"], edges: Float64[np.ndarray, " E"]
) -> Int64[np.ndarray, " M"]:
    cells: Int64[np.ndarray, " M"] = np.searchsorted(edges, values)
    return cells


ATTRIBUTE = Attribute(
    name="occlusion",
    title="Covered by other boxes",
    unit="share",
    measure=_measure,
    needs="there are no labels",
    edges=(0.0, 0.01, 0.25, 0.5),
    first="none",
)
