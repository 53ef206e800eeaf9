"""Checks that recordings are not those of another published data set than the run's."""

import re
from collections.abc import Iterator

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.preflight.run import Notice, Run, some

_NAMES = {
    "Gen1": ("gen1", r"\d\d-\d\d-\d\d_\d\d-\d\d-\d\d_\d+_\d+"),
    "1 Mpx": ("gen4", r"[a-z]+_\d{4}-\d\d-\d\d_\d{3}_td_\d+_\d+"),
    "DSEC-Det": ("dsec", r"(interlaken|thun|zurich_city)_\d\d_[a-z]"),
}
"""Environment, and pattern of the recordings' names, by the label set of published data sets."""


def check(run: Run) -> Iterator[Notice]:
    """Recordings named like those of another data set, whose labels have other classes."""
    if "labelled_frames" not in run.makes | run.needs or not run.labelled:
        return
    wanted = run.parameter("dataset", DatasetSettings.model_validate).label_set
    for label_set, (env, pattern) in _NAMES.items():
        keys = [
            each for each in run.labelled if re.fullmatch(pattern, RecordingKey.parse(each).name)
        ]
        if wanted in _NAMES and label_set != wanted and keys:
            yield Notice(
                f"{some(keys)} are named like recordings of {label_set}, but the classes and the "
                f"sensor of this run are those of {wanted}: use `--env {env}`, or, if the names "
                "mislead, give `dataset.label_set` a name of its own"
            )
