"""What the tests here share."""

from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import numpy as np
import pytest
from tests.conftest import PROJECT

FULL = PROJECT / "../shared/golden/preproc"
SMALL = PROJECT / "tests/golden/preproc"
GOLDEN = FULL if FULL.is_dir() else SMALL

MakeCase = Callable[[str], tuple[Path, Path]]


@pytest.fixture
def make_case(tmp_path: Path) -> MakeCase:
    """Writes the recording and the labels of a golden case in eTraM's format."""

    def make(case: str) -> tuple[Path, Path]:
        recording, labels = tmp_path / f"{case}_td.h5", tmp_path / f"{case}_bbox.npy"
        with np.load(GOLDEN / f"inputs/{case}.npz") as arrays:
            with h5py.File(recording, "w") as file:
                for name in "xypt":
                    file[f"events/{name}"] = arrays[name]
                if arrays["hw"]:
                    file["events/height"], file["events/width"] = 720, 1280
            np.save(labels, arrays["labels"])
        return recording, labels

    return make
