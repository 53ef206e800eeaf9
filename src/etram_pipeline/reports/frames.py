"""What preprocessing made of each recording, as a table."""

import logging
from collections.abc import Mapping

import numpy as np

from etram_pipeline.core.counts import counted
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.moments import LeftOut
from etram_pipeline.stores.representation_store import StoredRepresentations

logger = logging.getLogger(__name__)

_LOGGED_NAMES = 5

Row = dict[str, str | int | float]


def frame_rows(
    histograms: Mapping[str, StoredRepresentations],
    labelled_frames: Mapping[str, LabelledFrames],
    class_names: tuple[str, ...],
) -> list[Row]:
    """One row per recording: windows, labelled frames, and the boxes that the filters left.

    The columns `left_out_…` count the labelled moments that are no labelled frame, by the reason.
    """
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
            "(%s); the others count as missed: use windows.kind label_aligned",
            counted(len(missed), "recording"),
            _names(missed),
        )


def log_left_out(labelled_frames: Mapping[str, LabelledFrames]) -> None:
    """Tell in one line how many labelled moments are no labelled frame, and why.

    It is a warning if a grid leaves out moments that could be frames, or if labels lie outside
    their recording.
    """
    found = {key: frames.left_out for key, frames in labelled_frames.items()}
    total = sum(found.values(), LeftOut())
    if not total.total:
        return
    num_moments = total.total + sum(len(frames) for frames in labelled_frames.values())
    is_fault = bool(total.off_grid or total.outside)
    concerned = [key for key, each in found.items() if each.off_grid or each.outside]
    names = f" ({_names(concerned)})" if is_fault else ""
    hint = "; with labels.frames=spaced, they need not lie on a grid" if total.off_grid else ""
    logger.log(
        logging.WARNING if is_fault else logging.INFO,
        "%s of %s labelled moments are no labelled frame: %s%s%s",
        f"{total.total:,}",
        f"{num_moments:,}",
        total,
        names,
        hint,
    )


def _names(parts: list[str]) -> str:
    more = "; …" if len(parts) > _LOGGED_NAMES else ""
    return "; ".join(parts[:_LOGGED_NAMES]) + more


def _row(
    key: str,
    frames: StoredRepresentations,
    labels: LabelledFrames | None,
    class_names: tuple[str, ...],
) -> Row:
    recording = RecordingKey.parse(key)
    class_ids = np.zeros(0, np.int64) if labels is None else labels.labels["class_id"]
    left_out = LeftOut() if labels is None else labels.left_out
    counts = np.bincount(class_ids.astype(np.int64), minlength=len(class_names))
    return {
        "split": recording.split,
        "recording": recording.name,
        "windows": frames.num_windows,
        "labelled_frames": 0 if labels is None else len(labels),
        "empty_frames": 0 if labels is None else len(labels.empty_us),
        "with_window": len(frames.frame_windows),
        "left_out_filtered": left_out.filtered,
        "left_out_early": left_out.early,
        "left_out_outside": left_out.outside,
        "left_out_too_close": left_out.too_close,
        "left_out_off_grid": left_out.off_grid,
        "boxes": len(class_ids),
        **{name: int(count) for name, count in zip(class_names, counts, strict=False)},
    }
