"""The embedded scene: recordings and labels that are simulated when they are first loaded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typing_extensions import override

from etram_pipeline.datasets.recordings import LabelFilesDataset, RecordingsDataset
from etram_pipeline.events.scene.manifest import recording_files
from etram_pipeline.events.scene.plan import plan_recordings
from etram_pipeline.events.scene.settings import SceneRecordingsSettings
from etram_pipeline.sequences.executors import ExecutorConfig, open_executor, read_executor


class SceneRecordingsDataset(RecordingsDataset):
    """Simulated recordings by `<split>/<recording>`.

    Args:
        path: Folder for the files; files that the simulator did not make there are never touched.
        settings: Fields of `SceneRecordingsSettings` that differ from their defaults.
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

    @override
    def load(self) -> dict[str, Path]:
        _simulate(self._path, self._settings, self._executor)
        return super().load()

    @property
    def is_default(self) -> bool:
        """Whether all settings are as they are by default."""
        return self._settings == SceneRecordingsSettings()

    def planned(self) -> dict[str, Path]:
        """What loading gives, without simulating anything."""
        return {key: events for key, (events, _) in _planned(self._path, self._settings)}


class SceneLabelsDataset(LabelFilesDataset):
    """Labels of simulated recordings by `<split>/<recording>`.

    Args:
        path: Folder of the recordings.
        settings: The same as those of the recordings.
        executor: The same as that of the recordings.
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

    @override
    def load(self) -> dict[str, Path]:
        _simulate(self._path, self._settings, self._executor)
        return super().load()

    def planned(self) -> dict[str, Path]:
        """What loading gives, without simulating anything."""
        return {key: boxes for key, (_, boxes) in _planned(self._path, self._settings)}


def _planned(
    path: Path, settings: SceneRecordingsSettings
) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """Key of each recording, and the files of its events and of its boxes."""
    return ((each.key, recording_files(path, each.key)) for each in plan_recordings(settings))


def _simulate(path: Path, settings: SceneRecordingsSettings, executor: ExecutorConfig) -> None:
    from etram_pipeline.events.scene.recordings import write_scene

    with open_executor(executor) as pool:
        write_scene(path, settings, pool)
