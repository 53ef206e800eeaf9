"""A folder of simulated recordings in eTraM's layout, made once."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.events.scene.scene import RECIPE, Scene
from etram_pipeline.events.scene.settings import SceneRecordingsSettings, SceneSettings

logger = logging.getLogger(__name__)

_MANIFEST = "scene.json"


@dataclass(frozen=True)
class PlannedRecording:
    """One recording to be in the folder.

    Attributes:
        key: Split and name, as in `train/train_day_0001`.
        settings: What is simulated.
        seed: Number that decides everything random in it.
    """

    key: str
    settings: SceneSettings
    seed: int

    def files(self, folder: Path) -> tuple[Path, Path]:
        """The files of its events and of its boxes."""
        return _files(folder, self.key)

    @property
    def fingerprint(self) -> str:
        """What the files hold, in short."""
        return fingerprint([RECIPE, self.settings, self.seed])


def plan_recordings(settings: SceneRecordingsSettings) -> list[PlannedRecording]:
    """Every recording the settings ask for; days before nights in each split."""
    planned = []
    counts = (settings.num_train, settings.num_val, settings.num_test)
    for split_number, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        num_nights = round(count * settings.night_fraction)
        for index in range(count):
            night = index >= count - num_nights
            number = index - (count - num_nights if night else 0) + 1
            name = f"{split}_{'night' if night else 'day'}_{number:04d}"
            entropy = np.random.SeedSequence([settings.seed, split_number, index])
            scene = settings.scene.model_copy(update={"night": night})
            seed = int(entropy.generate_state(1)[0])
            planned.append(PlannedRecording(f"{split}/{name}", scene, seed))
    return planned


def write_scene(folder: Path, settings: SceneRecordingsSettings) -> None:
    """Make sure that a folder holds the recordings the settings ask for, and no others of its own.

    Files are `<split>/<name>_td.h5` and `<name>_bbox.npy`. Recordings that are there and complete
    stay as they are; those made with other settings are made anew. An interrupted call leaves
    nothing half, and the next one goes on from there.

    Raises:
        RecordingError: If the folder holds files of these names that were not made by this
            function; nothing is touched then.
    """
    planned = plan_recordings(settings)
    manifest = _Manifest.read(folder)
    manifest.refuse_foreign_files(planned)
    missing = [each for each in planned if not manifest.is_complete(each)]
    manifest.forget_all_but(planned)
    if missing:
        logger.info("simulating %d recordings in %s", len(missing), folder)
    executor = ThreadPoolExecutor(max(1, min(len(missing), os.cpu_count() or 1)))
    try:
        futures = {executor.submit(_write_recording, folder, each): each for each in missing}
        for future in as_completed(futures):
            future.result()
            manifest.add(futures[future])
    finally:
        executor.shutdown(cancel_futures=True)


def _write_recording(folder: Path, planned: PlannedRecording) -> None:
    scene = Scene(planned.settings, planned.seed)
    events_file, boxes_file = planned.files(folder)
    height, width = planned.settings.height, planned.settings.width
    write_etram_recording(events_file, scene.stream(), height, width)
    with written_whole(boxes_file) as partial, partial.open("wb") as file:
        np.save(file, scene.labels)
    logger.info("simulated %s with %d boxes", planned.key, len(scene.labels))


def _files(folder: Path, key: str) -> tuple[Path, Path]:
    return folder / f"{key}_td.h5", folder / f"{key}_bbox.npy"


class _Manifest:
    """What this module has made in a folder, kept in a file beside it.

    A recording is entered before its first file appears, without sizes, and again when it is
    complete. So every file of ours is known, and none half made counts.
    """

    def __init__(self, folder: Path, entries: Mapping[str, Mapping[str, object]]) -> None:
        self.folder = folder
        self._entries = {key: dict(entry) for key, entry in entries.items()}

    @classmethod
    def read(cls, folder: Path) -> "_Manifest":
        path = folder / _MANIFEST
        if not path.exists():
            return cls(folder, {})
        try:
            return cls(folder, json.loads(path.read_text())["recordings"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordingError(
                f"{path} does not list simulated recordings: remove the folder, or choose another"
            ) from error

    def refuse_foreign_files(self, planned: list[PlannedRecording]) -> None:
        for each in planned:
            foreign = [path for path in each.files(self.folder) if path.exists()]
            if foreign and each.key not in self._entries:
                raise RecordingError(
                    f"{foreign[0]} was not made by the simulator, which would overwrite it: "
                    "choose another folder for the simulated scene"
                )

    def is_complete(self, planned: PlannedRecording) -> bool:
        entry = self._entries.get(planned.key, {})
        return (
            entry.get("fingerprint") == planned.fingerprint
            and entry.get("bytes") == self._sizes(planned.key)
            and None not in self._sizes(planned.key)
        )

    def forget_all_but(self, planned: list[PlannedRecording]) -> None:
        """Keep complete recordings, enter the others as planned, remove what is not planned."""
        complete = {each.key for each in planned if self.is_complete(each)}
        kept = {key: self._entries[key] for key in complete}
        entries = {each.key: kept.get(each.key, {}) for each in planned}
        stale = set(self._entries) - set(entries)
        if entries == self._entries:
            return
        # Stale ones stay entered until their files are gone.
        self._entries = {key: {} for key in stale} | entries
        self._write()
        for path in self._stale_files(stale):
            path.unlink(missing_ok=True)
        self._entries = entries
        self._write()

    def add(self, planned: PlannedRecording) -> None:
        """Enter a recording as complete."""
        self._entries[planned.key] = {
            "fingerprint": planned.fingerprint,
            "seed": planned.seed,
            "bytes": self._sizes(planned.key),
        }
        self._write()

    def _sizes(self, key: str) -> list[int | None]:
        paths = _files(self.folder, key)
        return [path.stat().st_size if path.exists() else None for path in paths]

    def _stale_files(self, keys: set[str]) -> Iterator[Path]:
        for key in keys:
            yield from _files(self.folder, key)

    def _write(self) -> None:
        with written_whole(self.folder / _MANIFEST) as partial:
            partial.write_text(json.dumps({"recordings": self._entries}, indent=1) + "\n")
