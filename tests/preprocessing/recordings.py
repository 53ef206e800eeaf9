"""Recordings of a few hundred milliseconds, and the jobs that preprocess them."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import ExecutorConfig, open_executor
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.preprocessing.labels import label_jobs
from etram_pipeline.preprocessing.representations import encode_jobs
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.settings import Profile, StorageSettings

DATASET = DatasetSettings(height=96, width=128, class_names=("car",))
WINDOWS = WindowConfig.model_validate({"kind": "label_aligned", "duration_ms": 50})
KEYS = ("train/a", "train/b", "val/c")


def write_recordings(folder: Path) -> None:
    """Write a recording and a label file for each key, all of the same size."""
    for number, key in enumerate(KEYS):
        random = np.random.default_rng(number)
        path = folder / f"{key}_td.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            columns = {
                "x": random.integers(0, DATASET.width, 30_000).astype(np.uint16),
                "y": random.integers(0, DATASET.height, 30_000).astype(np.uint16),
                "p": random.integers(0, 2, 30_000).astype(np.uint8),
                "t": np.sort(random.integers(0, 1_000_000, 30_000)),
            }
            for name, values in columns.items():
                file.create_dataset(f"events/{name}", data=values, compression="gzip")
            file["events/height"], file["events/width"] = DATASET.height, DATASET.width
        labels = np.zeros(9, LABEL_DTYPE)
        labels["t"] = 100_000 * np.arange(1, 10)
        labels["x"], labels["y"], labels["w"], labels["h"] = 10, 20, 30, 40
        np.save(path.with_name(f"{path.name.removesuffix('_td.h5')}_bbox.npy"), labels)


def preprocess(
    raw: Path,
    store: Path,
    executor: str = "inline",
    max_count: int = 10,
    profile: Profile = "archive",
    labels: Mapping[str, object] | None = None,
) -> None:
    """Make labelled frames and histograms of the recordings in `raw`, as the pipeline does."""
    config = ExecutorConfig.model_validate({"kind": executor})
    recordings = {key: raw / f"{key}_td.h5" for key in KEYS}
    label_files = {key: raw / f"{key}_bbox.npy" for key in KEYS}
    # What the filters leave is the same, but what made it is not.
    settings = LabelSettings.model_validate(
        {"filters": [{"kind": "minimum_size", "side_px": max_count}], **(labels or {})}
    )
    representation = RepresentationConfig.model_validate(
        {"kind": "stacked_histogram", "bins": 4, "max_count": max_count}
    )
    storage = StorageSettings(profile=profile)
    with open_executor(config) as pool:
        jobs = label_jobs(recordings, label_files, DATASET, settings)
        build(store, LABELS, jobs, pool, raise_failures=False)
        frames = LabelStore(store)
        build(
            store,
            REPRESENTATIONS,
            encode_jobs(recordings, frames, DATASET, WINDOWS, representation, storage),
            pool,
        )


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store, except those that only serve to lock it."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }
