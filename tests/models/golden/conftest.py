"""Numbers of the reference implementation.

Source: uzh-rpg/RVT b80f568, run on weights and inputs that `formula_weight` and `frames` give;
see tests/golden/model/README.md.
"""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.rvt_format.checkpoint import from_rvt_state_dict

ROOT = Path(__file__).parents[3]
FULL, SMALL = ROOT / "../shared/golden/model", ROOT / "tests/golden/model"

Facts = dict[str, Any]


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where the numbers lie: beside the repository if they are there, else the copy within."""
    return FULL if FULL.is_dir() else SMALL


@pytest.fixture(scope="session")
def read(folder: Path) -> Callable[[str], Facts]:
    """Reads a file of numbers by name."""
    return lambda name: json.loads((folder / name).read_text())


@pytest.fixture(scope="session")
def facts(read: Callable[[str], Facts]) -> Facts:
    """Runs of the reference, summed up."""
    return read("model.json")


@pytest.fixture(scope="session")
def arrays(folder: Path) -> dict[str, np.ndarray]:
    """Slices of what those runs computed."""
    return dict(np.load(folder / "model_arrays.npz"))


@pytest.fixture(scope="session")
def formula_weight() -> Callable[[str, list[int]], Tensor]:
    """Gives a weight of the reference's runs by RVT's name and its shape."""
    return _formula_weight


@pytest.fixture(scope="session")
def formula_detector(read: Callable[[str], Facts]) -> Callable[[str], rvt.RVT]:
    """Gives the detector of the reference's runs by its size."""

    def make(size: str) -> rvt.RVT:
        keys = read(f"state_dict_{size}.json")["keys"]
        return from_rvt_state_dict(
            {name: _formula_weight(name, about["shape"]) for name, about in keys.items()}
        )

    return make


@pytest.fixture(scope="session")
def frames(facts: Facts) -> Tensor:
    """Events of three windows in two lanes."""
    generator = np.random.default_rng(0)
    shape = tuple(facts["input"]["shape"])
    mask = generator.random(shape, dtype=np.float32) < 0.05
    counts = generator.integers(1, 11, size=shape, dtype=np.uint8)
    drawn = (mask * counts).astype(np.uint8)
    assert int(drawn.sum()) == facts["input"]["sum"]
    return torch.from_numpy(drawn)


def _formula_weight(name: str, shape: list[int]) -> Tensor:
    """The weight RVT calls `name` in the reference's runs."""
    random = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    is_output = ".obj_preds." in name or ".cls_preds." in name
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if name.endswith("running_var"):
        weight = np.abs(1 + 0.1 * random)
    elif name.endswith(".gamma"):
        weight = 0.5 + 0.1 * random
    elif len(shape) == 1 and name.endswith(".weight"):
        weight = 1 + 0.1 * random
    elif len(shape) >= 2:
        gain = 1.4 if name.startswith("backbone.") else 4.0 if is_output else 1.8
        weight = random * gain / np.sqrt(np.prod(shape[1:]))
    else:
        weight = 0.02 * random - 2.0 * (is_output and name.endswith(".bias"))
    return torch.from_numpy(weight.astype(np.float32))
