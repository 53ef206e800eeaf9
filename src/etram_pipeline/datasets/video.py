"""Videos, written frame by frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import DatasetError
from typing_extensions import override

from etram_pipeline.datasets.files import SingleFileDataset

_SUFFIXES = (".mp4", ".m4v")


class VideoDataset(SingleFileDataset[tuple[float, Iterator[np.ndarray]], Path]):
    """An MP4 file, saved from a frame rate in frames per second and RGB images `(H, W, 3)`.

    Loading returns its path.

    Args:
        filepath: The MP4 file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        if self._filepath.suffix.lower() not in _SUFFIXES:
            raise DatasetError(
                f"videos are written as MP4, not as '{self._filepath.suffix}': change the suffix "
                f"of {filepath} to {' or '.join(_SUFFIXES)}"
            )

    @override
    def load(self) -> Path:
        if not self._filepath.is_file():
            raise DatasetError(
                f"{self._filepath} does not exist: run `kedro run --pipelines annotate`"
            )
        return self._filepath

    @override
    def save(self, data: tuple[float, Iterator[np.ndarray]]) -> None:
        from etram_pipeline.drawing.video import write_video

        frames_per_second, pictures = data
        write_video(self._filepath, pictures, frames_per_second)
