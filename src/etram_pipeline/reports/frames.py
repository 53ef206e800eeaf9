"""What preprocessing made of each recording, as a table."""

import logging
from collections.abc import Mapping

import numpy as np

from etram_pipeline.core.counts import counted
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.representation_store import StoredRepresentations

logger = logging.getLogger(__name__)

_LOGGED_NAMES = 5

Row = dict[str, str | int | float]


def frame_rows(
    histograms: Mapping[str, StoredRepresentations],
    labelled_frames: Mapping[str, LabelledFrames],
    class_names: tuple[str, ...],
) -> list[Row]:
    """One row per recording: windows, labelled frames, and the boxes that the filters left."""
    return [
        _row(key, frames, labelled_frames.get(key), class_names)
        for key, frames in histograms.items()
    ]


def warn_of_missed_frames(
    histograms: Mapping[str, StoredRepresentations], labelled_frames: Mapping[str, LabelledFrames]
) -> None:
    """Tell that labels lie between windows, where nothing is learnt or compared."""
    missed: list[str] = []
    for key, frames in histograms.items():
        num_frames = len(labelled_frames[key]) if key in labelled_frames else 0
        if num_frames > len(frames.frame_windows):
            missed.append(f"{key}: {len(frames.frame_windows)} of {num_frames}")
    if missed:
        logger.warning(
            "only some of the labelled frames of %s coincide with the end of a window "
            "(%s%s); the others count as missed: use windows.kind label_aligned",
            counted(len(missed), "recording"),
            "; ".join(missed[:_LOGGED_NAMES]),
            "; …" if len(missed) > _LOGGED_NAMES else "",
        )


def _row(
    key: str,
    frames: StoredRepresentations,
    labels: LabelledFrames | None,
    class_names: tuple[str, ...],
) -> Row:
    recording = RecordingKey.parse(key)
    class_ids = np.zeros(0, np.int64) if labels is None else labels.labels["class_id"]
    counts = np.bincount(class_ids.astype(np.int64), minlength=len(class_names))
    return {
        "split": recording.split,
        "recording": recording.name,
        "windows": frames.num_windows,
        "labelled_frames": 0 if labels is None else len(labels),
        "with_window": len(frames.frame_windows),
        "boxes": len(class_ids),
        **{name: int(count) for name, count in zip(class_names, counts, strict=False)},
    }
