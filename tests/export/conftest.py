"""Stores of small recordings, as another project could have made them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.export.dataset import Export, write_dataset
from etram_pipeline.export.settings import ExportSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import (
    FRAME_WINDOWS_FILE,
    IMAGES_FILES,
    LABELS,
    LABELS_FILE,
    REPRESENTATIONS,
    TIMES_FILE,
)
from etram_pipeline.stores.representation_store import RepresentationStore

DATASET = DatasetSettings(height=32, width=48, class_names=("car", "tram", "bus"))
NAME = "stacked_histogram_dt=50_nbins=2"

Box = tuple[float, ...]
"""Time in microseconds, left, top, width and height in px of the sensor, class."""

AddRecording = Callable[..., None]
MakeExport = Callable[..., Export]
Write = Callable[..., None]


def random_boxes(num_frames: int, seed: int) -> list[Box]:
    """Three boxes of each frame, some of which reach beyond the sensor of 32 x 48 px."""
    rng = np.random.default_rng(seed)
    return [
        (
            100_000 * (frame + 1),
            *rng.uniform(-4, 40, 2).round(3),
            *rng.uniform(4, 20, 2),
            place,
        )
        for frame in range(num_frames)
        for place in range(3)
    ]


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """Folder that both stores lie in."""
    return tmp_path / "stores"


@pytest.fixture
def add_recording(stores: Path) -> AddRecording:
    """Stores a recording at half the sensor's 32 x 48 px, of 50 ms windows.

    Every second window ends at a labelled frame. Without boxes, nothing is labelled.
    """

    def add(
        key: str,
        boxes: Sequence[Box] | None = None,
        num_windows: int = 12,
        dtype: npt.DTypeLike = np.uint8,
    ) -> None:
        stop_us = 50_000 * np.arange(1, num_windows + 1)
        images = np.random.default_rng(num_windows).poisson(0.3, (num_windows, 4, 16, 24))
        images -= np.issubdtype(dtype, np.signedinteger)
        _write_images(stores / key, images.astype(dtype), stop_us, labelled=boxes is not None)
        if boxes is not None:
            _write_labels(stores / key / LABELS, boxes)

    return add


def _write_images(folder: Path, images: np.ndarray, stop_us: np.ndarray, *, labelled: bool) -> None:
    folder = folder / REPRESENTATIONS / NAME
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / IMAGES_FILES[2], "w") as file:
        file["data"] = images
    np.save(folder / TIMES_FILE, stop_us)
    windows = np.arange(1, len(stop_us), 2) if labelled else np.zeros(0, np.int64)
    np.save(folder / FRAME_WINDOWS_FILE, windows)


def _write_labels(folder: Path, boxes: Sequence[Box]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = np.zeros(len(boxes), LABEL_DTYPE)
    for name, column in zip("txywh", zip(*boxes, strict=True), strict=False):
        table[name] = column
    table["class_id"] = [int(box[5]) for box in boxes]
    times_us, first_label = np.unique(table["t"], return_index=True)
    np.savez(folder / LABELS_FILE, labels=table, objframe_idx_2_label_idx=first_label)
    np.save(folder / TIMES_FILE, times_us)


@pytest.fixture
def make_export(stores: Path) -> MakeExport:
    """What to export of the stored recordings, with other settings where they are given."""

    def make(dataset: DatasetSettings = DATASET, **changes: object) -> Export:
        settings = ExportSettings.model_validate({"picture": {"kind": "polarity"}, **changes})
        return Export(RepresentationStore(stores), LabelStore(stores), dataset, settings)

    return make


@pytest.fixture
def street(add_recording: AddRecording, make_export: MakeExport) -> MakeExport:
    """What to export of four recordings of six labelled frames each."""
    for seed, key in enumerate(["test/d", "train/a", "train/b", "val/c"]):
        add_recording(key, random_boxes(6, seed))
    return make_export


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where to export to."""
    return tmp_path / "exported"


@pytest.fixture
def write(root: Path) -> Write:
    """Exports in this process, to `root` unless told otherwise."""

    def write_here(export: Export, where: Path = root, executor: Executor | None = None) -> None:
        write_dataset(where, export, executor or InlineExecutor())

    return write_here


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a dataset but the build's own, which tell times and places."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", ".index.json"))
    }
