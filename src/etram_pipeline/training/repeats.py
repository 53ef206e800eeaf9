"""Repeat factors of the labelled frames of a training, and what they change."""

import logging

import numpy as np
from jaxtyping import Float64
from pytorch_lightning.utilities import rank_zero_only

from etram_pipeline.clips.repetition import FrameFactors, class_factors, frame_factors
from etram_pipeline.clips.schedule import all_parts, part_factors, random_parts, stream_parts
from etram_pipeline.core.counts import counted
from etram_pipeline.labels.statistics import ClassCounts
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.settings import TrainSettings

logger = logging.getLogger(__name__)

_SETTING = "train.sampling.repeat_threshold"


def repeat_factors(
    train: LabelledRecordings, class_names: tuple[str, ...], settings: TrainSettings
) -> FrameFactors | None:
    """Repeat factor of each labelled frame, by recording; None without `repeat_threshold`.

    Logs the factor of each class and the length of a pass. Warns if no frame is repeated.
    """
    threshold = settings.sampling.repeat_threshold
    if threshold is None:
        return None
    counts = train.count_classes(len(class_names))
    of_class = class_factors(counts.num_frames, counts.total_frames, threshold)
    of_frame = frame_factors(train.classes_by_frame(), of_class)
    if (of_class > 1).any():
        _log_factors(class_names, counts, of_class)
        _log_passes(train, of_frame, settings)
    else:
        _warn_of_no_repeats(class_names, counts, threshold)
    return of_frame


@rank_zero_only
def _log_factors(
    class_names: tuple[str, ...], counts: ClassCounts, of_class: Float64[np.ndarray, " K"]
) -> None:
    told = [
        f"{class_names[index]} {of_class[index]:.2f}"
        if counts.num_frames[index]
        else f"{class_names[index]} – (no labels)"  # noqa: RUF001
        for index in np.argsort(-of_class, kind="stable").tolist()
    ]
    logger.info("repeat factors of classes: %s", ", ".join(told))


@rank_zero_only
def _log_passes(train: LabelledRecordings, of_frame: FrameFactors, settings: TrainSettings) -> None:
    """Log how many parts a pass reads on average, against the number of parts."""
    windows = {name: stored.frame_windows for name, stored in train.frames.items()}
    num_random = settings.sampling.num_random(settings.lanes)
    for what, cut, num_lanes in (
        ("streamed part", stream_parts, settings.lanes - num_random),
        ("random clip", random_parts, num_random),
    ):
        parts = all_parts(cut, windows, settings.clip_length)
        if num_lanes and parts:
            readings = part_factors(parts, windows, of_frame).sum()
            logger.info(
                "a pass over %s reads %.0f on average (%.2f times as many)",
                counted(len(parts), what),
                readings,
                readings / len(parts),
            )


@rank_zero_only
def _warn_of_no_repeats(
    class_names: tuple[str, ...], counts: ClassCounts, threshold: float
) -> None:
    shares = counts.num_frames / max(counts.total_frames, 1)
    occurring = np.flatnonzero(counts.num_frames)
    if not len(occurring):
        logger.warning("%s=%g repeats nothing: there are no boxes", _SETTING, threshold)
        return
    rarest = occurring[np.argmin(shares[occurring])]
    logger.warning(
        "%s=%g repeats nothing: every class is in a larger share of the %s; the rarest, %s, is in "
        "%.4g of them: set a larger threshold than this",
        _SETTING,
        threshold,
        counted(counts.total_frames, "labelled frame"),
        class_names[rarest],
        shares[rarest],
    )
