"""A folder of simulated recordings in eTraM's layout, which is simulated once."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.mask_column import MASK_COLUMN, without_masks, write_masks
from etram_pipeline.core.recording import Events
from etram_pipeline.scene.manifest import (
    Manifest,
    mask_file,
    recording_files,
    waiting_for_others,
    writing_for_others,
)
from etram_pipeline.scene.plan import PlannedRecording, plan_recordings
from etram_pipeline.scene.scene import Scene
from etram_pipeline.scene.settings import SceneRecordingsSettings

logger = logging.getLogger(__name__)

WriteRecording = Callable[[Path, Iterator[Events], int, int], None]
"""Function that writes a recording, given path, chunks of events, sensor height and width."""


def write_scene(
    folder: Path,
    settings: SceneRecordingsSettings,
    executor: Executor | None = None,
    *,
    write_recording: WriteRecording,
) -> None:
    """Ensure that a folder holds exactly the simulated recordings of these settings.

    Files are `<split>/<name>_td.h5`, `<name>_bbox.npy` and, with masks, `<name>_masks.json`.
    Complete recordings are kept; those simulated with other settings are replaced. An interrupted
    call leaves no incomplete file, and the next call continues from there. Of two simultaneous
    calls, one waits. The files do not depend on the executor.

    Args:
        folder: Folder to write to.
        settings: Settings of the simulation.
        executor: Executor of the simulations; by default this process, one after another.
        write_recording: Writes the events of a recording, completely or not at all.

    Raises:
        RecordingError: If the folder holds files of these names that were not simulated, in which
            case nothing is changed; or if a worker process was killed.
    """
    planned = plan_recordings(settings)
    if Manifest(folder).is_exactly(planned):
        return
    with waiting_for_others(folder):
        manifest = Manifest(folder)
        missing = manifest.prepare(planned)
        if missing:
            _write_recordings(missing, manifest, executor, write_recording)


def _write_recordings(
    missing: list[PlannedRecording],
    manifest: Manifest,
    executor: Executor | None,
    write_recording: WriteRecording,
) -> None:
    logger.info("simulating %d recordings in %s", len(missing), manifest.folder)
    with ExitStack() as stack:
        pool = executor or stack.enter_context(ThreadPoolExecutor(1))
        futures = {
            pool.submit(_simulate, manifest.folder, each, write_recording): each for each in missing
        }
        errors = []
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                if error := future.exception():
                    errors.append(error)
                    continue
                key, num_boxes = futures[future].key, future.result()
                manifest.add(futures[future])
                logger.info(
                    "simulated %s with %d boxes, %d of %d", key, num_boxes, number, len(missing)
                )
        finally:
            for future in futures:
                future.cancel()
    if errors:
        raise _named(errors[0], manifest.folder)


def _named(error: BaseException, folder: Path) -> BaseException:
    if not isinstance(error, BrokenExecutor):
        return error
    named = RecordingError(
        f"a worker process that simulated a recording in {folder} was killed, most likely because "
        "it ran out of memory: run again with fewer workers; complete recordings are kept"
    )
    named.__cause__ = error
    return named


def _simulate(folder: Path, planned: PlannedRecording, write_recording: WriteRecording) -> int:
    """Simulate one recording; return the number of its boxes."""
    with writing_for_others(folder):
        scene = Scene(planned.settings, planned.seed)
        events_file, boxes_file = recording_files(folder, planned.key)
        write_recording(events_file, scene.stream(), scene.camera.height, scene.camera.width)
        with written_whole(boxes_file) as partial, partial.open("wb") as file:
            np.save(file, without_masks(scene.labels))
        if planned.settings.masks:
            write_masks(mask_file(folder, planned.key), scene.labels[MASK_COLUMN].tolist())
        return len(scene.labels)
