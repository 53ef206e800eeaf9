"""A small detector and a recording for it."""

from pathlib import Path

import pytest
from tests.exported import some_windows, write_checked
from tests.streaming.moving import as_recording, exported, moving

SIZE = ("--sensor-size", "128x64")
"""Option for recordings of `recording`, which do not tell it."""


@pytest.fixture
def detector(tmp_path: Path) -> str:
    """A detector for a sensor of 64 x 128 px, at half resolution."""
    return str(exported(tmp_path).path)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """A second of two boxes that cross the sensor."""
    return str(as_recording(tmp_path, moving(1_000_000)))


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """A detector that brings windows along to be checked by."""
    path = tmp_path / "checked.onnx"
    write_checked(path, some_windows(3))
    return path
