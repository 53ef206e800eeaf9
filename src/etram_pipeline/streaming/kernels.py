"""Compiles what a stream computes, so that none has to wait for it when its first events come.

`python -m etram_pipeline.streaming.kernels` does this once per computer, or when an image is built.
Compiled code is kept beside the modules, in the user's cache if these cannot be written, or in the
folder that the variable `NUMBA_CACHE_DIR` names.
"""

import numpy as np

from etram_pipeline.core.component import kinds
from etram_pipeline.events import representations
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.streaming.chunks import EventTable
from etram_pipeline.streaming.cutter import WindowCutter
from etram_pipeline.streaming.description import Description, FrameShape
from etram_pipeline.streaming.selection import RawPredictions, select
from etram_pipeline.streaming.tracking import StreamTracker
from etram_pipeline.tracks.trackers import TrackerConfig

_ENCODING = EncodingSettings.model_validate(
    {"windows": {"kind": "regular"}, "representation": {"kind": "stacked_histogram"}}
)
_LAYOUTS = (
    [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "u1")],
    [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "<i2")],
    [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")],
)
"""Columns of recordings and networks, of Metavision and of iniVation."""

_SIZE = 64, 64


def compile_kernels() -> None:
    """Cut, choose and follow a few windows of each layout of events and each representation."""
    for layout in _LAYOUTS:
        cutter = WindowCutter(_ENCODING, *_SIZE)
        for window in (*cutter.push(_events(layout)), *cutter.finish()):
            window.release()
    for kind in kinds(representations.__name__):
        representation = RepresentationConfig.model_validate({"kind": kind})
        encoding = _ENCODING.model_copy(update={"representation": representation})
        cutter = WindowCutter(encoding, *_SIZE)
        for window in (*cutter.push(_events(_LAYOUTS[0])), *cutter.finish()):
            window.release()
    boxes = np.array([[[8, 8, 24, 24], [9, 9, 25, 25], [40, 40, 56, 56]]], np.float32)
    scores = np.full((1, boxes.shape[1], 1), 0.9, np.float32)
    channels = _ENCODING.representation.channels
    description = Description(
        frames=FrameShape(channels=channels, height=_SIZE[0], width=_SIZE[1]),
        class_names=("any",),
        encoding=_ENCODING,
        downsampled_by=1,
    )
    select(RawPredictions(boxes, scores, scores), description, SuppressionSettings())
    tracker = TrackerConfig.model_validate({"kind": "static_camera"})
    follower = StreamTracker(tracker, *_SIZE, ("any",))
    table = np.zeros(2, DETECTION_DTYPE)
    table["w"], table["h"], table["score"], table["y"] = 16, 16, 0.9, [8, 40]
    for number in range(1, 8):
        table["t"], table["x"] = 50_000 * number, 4 * number
        follower.update(50_000 * number, table)


def _events(layout: list[tuple[str, str]]) -> EventTable:
    table = np.zeros(4, layout)
    table["t"] = np.arange(4) * 40_000
    return table


if __name__ == "__main__":
    compile_kernels()
