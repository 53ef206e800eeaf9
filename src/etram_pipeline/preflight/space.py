"""Estimates whether the histograms fit on the disk.

Measured on recordings of 0.2 to 25 million events a second in EVT2, EVT3, AEDAT4 and gzip HDF5, in
windows of 50 ms: an archive of `nearest` histograms takes 0.01 to 0.18 bytes for each byte of the
recording, most often 0.1; `sum` takes 2.2 times as much, all rows and columns 3.6 times, and the
profile `training` 2.4 times.
"""

import shutil
from collections.abc import Collection, Iterator

from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.files import path_of
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.preflight.run import Notice, Run
from etram_pipeline.stores.index import read_index
from etram_pipeline.stores.layout import REPRESENTATIONS
from etram_pipeline.stores.settings import StorageSettings

_SHARE_OF_RECORDING = 0.1
_OF_DOWNSAMPLING = {"nearest": 1.0, "sum": 2.2, None: 3.6}
_OF_PROFILE = {"archive": 1.0, "training": 2.4}

_CLOSE = 2.0
"""A disk with less free space than this multiple of the estimate may be too small."""

_HOPELESS = 0.2
"""A disk with less free space than this share of the estimate is certainly too small."""


def check(run: Run) -> Iterator[Notice]:
    """A disk without room for the recordings to encode."""
    root = path_of(run.dataset("histograms"))
    if "histograms" not in run.makes or root is None:
        return
    try:
        index = read_index(root, REPRESENTATIONS)
    except StoreError:
        index = None  # it will be made again
    wanted = _estimate(run, index.recordings if index else {})
    there = next((each for each in (root, *root.absolute().parents) if each.is_dir()), None)
    if not wanted or there is None:
        return
    free = shutil.disk_usage(there).free
    if free < _CLOSE * wanted:
        yield Notice(
            f"the histograms to be made will take about {wanted / 1e9:.1f} GB (an estimate from "
            f"the size of the recordings), but the disk of {root} has {free / 1e9:.1f} GB free: "
            "make room, give the environment a `data` folder on another disk, or set "
            "storage.profile=archive and representation.downsample=nearest",
            is_fault=free < _HOPELESS * wanted,
        )


def _estimate(run: Run, stored: Collection[str]) -> float:
    """Bytes of histograms of recordings that have none; 0 where these are yet to be simulated."""
    files = [path for key, path in (run.recordings or {}).items() if key not in stored]
    raw = sum(path.stat().st_size for path in files if path.is_file())
    representation = run.parameter("representation", RepresentationConfig.model_validate)
    windows = run.parameter("windows", WindowConfig.model_validate)
    overlap = max((windows.duration_ms or windows.step_ms) / windows.step_ms, 1.0)
    return (
        raw
        * _SHARE_OF_RECORDING
        * _OF_DOWNSAMPLING[representation.downsample]
        * _OF_PROFILE[run.parameter("storage", StorageSettings.model_validate).profile]
        * overlap
    )
