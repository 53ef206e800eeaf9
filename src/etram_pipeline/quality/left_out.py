"""How many labelled moments of each recording will be no labelled frame."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from etram_pipeline.labels.moments import LeftOut, choose_moments
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import read_labels
from etram_pipeline.quality.survey import Survey


def count_left_out(
    survey: Survey, label_files: Mapping[str, Path], settings: LabelSettings
) -> dict[str, LeftOut]:
    """Numbers of these moments by recording, for recordings with readable labels.

    Filters are not applied, so moments whose boxes they all drop are not among them.

    Args:
        survey: Measurements of the recordings; they tell when each begins and ends.
        label_files: Label files by recording.
        settings: How labelled frames are chosen.

    Raises:
        LabelError: If a label file cannot be read any more.
    """
    found = {}
    for key, quality in survey.recordings.items():
        if quality.labels is None or key not in label_files:
            continue
        moments_us = np.unique(read_labels(label_files[key])["t"].astype(np.int64))
        events = quality.events
        is_compared = settings.frames == "spaced" and events.num_kept > 0
        span_us = (events.start_us, events.last_us) if is_compared else None
        found[key] = choose_moments(moments_us, settings, span_us).left_out
    return found
