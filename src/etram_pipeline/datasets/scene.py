"""The embedded scene: recordings and labels, simulated when they are first loaded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typing_extensions import override

from etram_pipeline.builds.executors import open_executor, read_executor
from etram_pipeline.datasets.recordings import (
    LabelFilesDataset,
    RawFolderDataset,
    RecordingsDataset,
)
from etram_pipeline.scene.manifest import recording_files
from etram_pipeline.scene.plan import plan_recordings
from etram_pipeline.scene.settings import SceneRecordingsSettings


class _Simulated(RawFolderDataset):
    """Files of simulated recordings by `<split>/<recording>`.

    Args:
        path: Folder for the files; files that the simulator did not write are never changed.
        settings: Fields of `SceneRecordingsSettings` that differ from their defaults; must be the
            same for recordings and labels.
        executor: Where recordings are simulated, as for `LabelledFramesDataset`.
        metadata: Read by kedro-viz.
    """

    def __init__(
        self,
        *,
        path: str,
        settings: dict[str, Any] | None = None,
        executor: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path=path, metadata=metadata)
        self._settings = SceneRecordingsSettings.model_validate(settings or {})
        self._executor = read_executor(executor)

    def _simulate(self) -> None:
        from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
        from etram_pipeline.scene.recordings import write_scene

        with open_executor(self._executor) as pool:
            write_scene(self._path, self._settings, pool, write_recording=write_etram_recording)

    def _files(self) -> Iterator[tuple[str, Path, Path]]:
        """Key, event file and label file of each recording."""
        for each in plan_recordings(self._settings):
            yield each.key, *recording_files(self._path, each.key)


class SceneRecordingsDataset(_Simulated, RecordingsDataset):
    """Simulated recordings by `<split>/<recording>`."""

    @override
    def load(self) -> dict[str, Path]:
        self._simulate()
        return RecordingsDataset.load(self)

    @property
    def is_default(self) -> bool:
        """Whether all settings have their default values."""
        return self._settings == SceneRecordingsSettings()

    def planned(self) -> dict[str, Path]:
        """Files that loading returns, without simulating anything."""
        return {key: events for key, events, _ in self._files()}


class SceneLabelsDataset(_Simulated, LabelFilesDataset):
    """Labels of simulated recordings by `<split>/<recording>`."""

    @property
    def has_masks(self) -> bool:
        """Whether files of masks are written beside the labels."""
        return self._settings.scene.masks

    @override
    def load(self) -> dict[str, Path]:
        self._simulate()
        return LabelFilesDataset.load(self)

    def planned(self) -> dict[str, Path]:
        """Files that loading returns, without simulating anything."""
        return {key: boxes for key, _, boxes in self._files()}
