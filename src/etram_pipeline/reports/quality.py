"""What a person checks of preprocessed recordings before training on them."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.sequences.store import StoredFrames

logger = logging.getLogger(__name__)

NUM_GROUPS = 3

Row = dict[str, str | int | float]


def quality_rows(
    histograms: Mapping[str, StoredFrames],
    labelled_frames: Mapping[str, LabelledFrames],
    class_names: tuple[str, ...],
) -> list[Row]:
    """One row per recording; event counts are 0 for stores that do not tell them."""
    return [
        _row(key, frames, labelled_frames.get(key), class_names)
        for key, frames in histograms.items()
    ]


def _row(
    key: str, frames: StoredFrames, labels: LabelledFrames | None, class_names: tuple[str, ...]
) -> Row:
    split, recording = key.split("/", 1)
    num_events = frames.summary.num_events if frames.summary else 0
    span_us = int(frames.stop_us[-1] - frames.stop_us[0]) if frames.num_windows else 0
    class_ids = np.zeros(0, np.int64) if labels is None else labels.labels["class_id"]
    counts = np.bincount(class_ids.astype(np.int64), minlength=len(class_names))
    return {
        "split": split,
        "recording": recording,
        "seconds": round(span_us / 1e6, 3),
        "windows": frames.num_windows,
        "events": num_events,
        "events_outside_sensor": frames.summary.num_dropped if frames.summary else 0,
        "events_late": frames.summary.num_late if frames.summary else 0,
        "labelled_frames": 0 if labels is None else len(labels),
        "boxes": len(class_ids),
        **{name: int(count) for name, count in zip(class_names, counts, strict=False)},
    }


def warn_of_missed_frames(
    histograms: Mapping[str, StoredFrames], labelled_frames: Mapping[str, LabelledFrames]
) -> None:
    """Tell that labels lie between windows, where nothing is learnt or compared."""
    for key, frames in histograms.items():
        num_frames = len(labelled_frames[key]) if key in labelled_frames else 0
        if num_frames > len(frames.frame_windows):
            logger.warning(
                "%s: only %d of %d labelled frames coincide with the end of a window; the others "
                "count as missed: use windows.kind label_aligned",
                key,
                len(frames.frame_windows),
                num_frames,
            )


def warn_of_grouped_labels(rows: Sequence[Row], class_names: tuple[str, ...]) -> None:
    """Tell that label files of eTraM's three super-classes may have been taken for eight classes.

    Nothing in such a file says so; only no class from the fourth on ever occurs.
    """
    counts = [sum(int(row[name]) for row in rows) for name in class_names]
    if len(class_names) > NUM_GROUPS and any(counts) and not any(counts[NUM_GROUPS:]):
        logger.warning(
            "no box is of any class but %s: label files of eTraM's three super-classes look like "
            "this. If they are, use preset=grouped_labels, or the files of eight classes",
            ", ".join(class_names[:NUM_GROUPS]),
        )
