"""Events in the box of a label, per px of its window, as its histogram counts them."""

import numpy as np
from jaxtyping import Float64

from etram_pipeline.analysis.attributes.attribute import Attribute, LabelledRecording
from etram_pipeline.stores.representation_store import StoredRepresentations


def _measure(recording: LabelledRecording) -> Float64[np.ndarray, " N"]:
    """Of labels at whose time a window ends; read one window at a time, and only these."""
    labels, stored = recording.labels, recording.histograms
    densities = np.full(len(labels), np.nan)
    if stored is None or not _counts_events(stored):
        return densities
    times_us = labels["t"].astype(np.int64)
    order = np.argsort(times_us, kind="stable")
    moments_us, starts = np.unique(times_us[order], return_index=True)
    windows = np.searchsorted(stored.stop_us, moments_us).clip(max=stored.num_windows - 1)
    boxes = np.stack([labels[side] for side in "xywh"], axis=1).astype(np.float64)
    groups = np.split(order, starts[1:])
    for moment in range(0, len(moments_us), recording.every):
        window = int(windows[moment])
        if stored.stop_us[window] != moments_us[moment]:
            continue
        image = stored.read(window, window + 1)[0]
        for row in groups[moment].tolist():
            densities[row] = _density(image, boxes[row], stored.downsampled_by)
    return densities / _pixels_per_cell(stored)


def _density(image: np.ndarray, box_xywh: Float64[np.ndarray, " 4"], by: int) -> float:
    """Mean count of the pixels that a box touches; NaN outside of the image."""
    left, top = np.floor(box_xywh[:2] / by).clip(min=0).astype(int)
    right, bottom = np.ceil((box_xywh[:2] + box_xywh[2:]) / by).astype(int)
    part = image[:, top:bottom, left:right]
    num_px = part.shape[1] * part.shape[2]
    return float(part.sum(dtype=np.int64) / num_px) if num_px else np.nan


def _counts_events(stored: StoredRepresentations) -> bool:
    # Of stores made elsewhere only RVT's histograms are unsigned.
    if stored.encoding is None:
        return stored.dtype == "uint8"
    return stored.encoding.representation.kind == "stacked_histogram"


def _pixels_per_cell(stored: StoredRepresentations) -> int:
    """Pixels of the sensor whose events a pixel of the image counts."""
    sums = stored.encoding is not None and stored.encoding.representation.downsample == "sum"
    return int(stored.downsampled_by) ** 2 if sums else 1


ATTRIBUTE = Attribute(
    name="event_density",
    title="Events in its box",
    unit="events/px per window",
    measure=_measure,
    needs="no stored histogram counts the events up to a labelled moment",
    edges=(0.0,),
    quantiles=4,
)
