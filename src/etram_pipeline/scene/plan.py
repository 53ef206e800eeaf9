"""The recordings that a folder should hold, and their settings."""

from dataclasses import dataclass

import numpy as np

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.scene.settings import SceneRecordingsSettings, SceneSettings

RECIPE = 5
"""Raised whenever the same settings and seed give other events or boxes."""


@dataclass(frozen=True)
class PlannedRecording:
    """One recording of the folder.

    Attributes:
        key: Split and name, such as `train/train_day_0001`.
        settings: Settings of the simulation.
        seed: Seed of everything random in it.
    """

    key: str
    settings: SceneSettings
    seed: int

    @property
    def fingerprint(self) -> str:
        """Hash that changes exactly when the recording does."""
        return fingerprint([RECIPE, self.settings, self.seed])


def plan_recordings(settings: SceneRecordingsSettings) -> list[PlannedRecording]:
    """All recordings of these settings; in each split, days come before nights."""
    planned = []
    counts = (settings.num_train, settings.num_val, settings.num_test)
    for split_number, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        num_days = count - round(count * settings.night_fraction)
        for index in range(count):
            night = index >= num_days
            number = index - num_days if night else index
            name = f"{split}_{'night' if night else 'day'}_{number + 1:04d}"
            entropy = np.random.SeedSequence([settings.seed, split_number, index])
            scene = settings.scene.model_copy(update={"night": night})
            seed = int(entropy.generate_state(1)[0])
            planned.append(PlannedRecording(str(RecordingKey(split, name)), scene, seed))
    return planned
