"""A folder of simulated recordings in eTraM's layout, made once."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from etram_pipeline.core.files import written_whole
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.events.scene.manifest import Manifest, recording_files, waiting_for_others
from etram_pipeline.events.scene.plan import PlannedRecording, plan_recordings
from etram_pipeline.events.scene.scene import Scene
from etram_pipeline.events.scene.settings import SceneRecordingsSettings

logger = logging.getLogger(__name__)


def write_scene(folder: Path, settings: SceneRecordingsSettings) -> None:
    """Make sure that a folder holds the recordings the settings ask for, and no others of its own.

    Files are `<split>/<name>_td.h5` and `<name>_bbox.npy`. Recordings that are there and complete
    stay as they are; those made with other settings are made anew. An interrupted call leaves
    nothing half, and the next one goes on from there. Of two calls at once, one waits.

    Raises:
        RecordingError: If the folder holds files of these names that were not made by this
            function; nothing is touched then.
    """
    planned = plan_recordings(settings)
    if Manifest(folder).is_exactly(planned):
        return
    with waiting_for_others(folder):
        manifest = Manifest(folder)
        missing = manifest.prepare(planned)
        if missing:
            _write_recordings(missing, manifest)


def _write_recordings(missing: list[PlannedRecording], manifest: Manifest) -> None:
    logger.info("simulating %d recordings in %s", len(missing), manifest.folder)
    executor = ThreadPoolExecutor(min(len(missing), os.cpu_count() or 1))
    try:
        futures = {
            executor.submit(_write_recording, manifest.folder, each): each for each in missing
        }
        for future in as_completed(futures):
            future.result()
            manifest.add(futures[future])
    finally:
        executor.shutdown(cancel_futures=True)


def _write_recording(folder: Path, planned: PlannedRecording) -> None:
    scene = Scene(planned.settings, planned.seed)
    events_file, boxes_file = recording_files(folder, planned.key)
    write_etram_recording(events_file, scene.stream(), scene.camera.height, scene.camera.width)
    with written_whole(boxes_file) as partial, partial.open("wb") as file:
        np.save(file, scene.labels)
    logger.info("simulated %s with %d boxes", planned.key, len(scene.labels))
