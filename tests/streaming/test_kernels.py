"""Kernels are compiled before the first events come."""

import subprocess
import sys

import pytest
from tests.conftest import PROJECT

COMPARE = """
import sys
import numpy as np
from numba.core.registry import CPUDispatcher
from etram_pipeline.streaming.kernels import compile_kernels

def compiled():
    ours = [m for name, m in sys.modules.items() if name.startswith("etram_pipeline.")]
    found = [each for module in ours for each in vars(module).values()]
    return sum(len(each.signatures) for each in found if isinstance(each, CPUDispatcher))

none = compiled()
compile_kernels()
before = compiled()
from etram_pipeline.core.recording import Events
from etram_pipeline.streaming.cutter import WindowCutter
from etram_pipeline.events.settings import EncodingSettings
columns = np.arange(9, dtype=np.uint16)
events = Events(columns, columns, columns.astype(np.int64) * 20_000, np.ones(9, np.uint8))
for kind in ("stacked_histogram", "mixed_density", "vtei", "voxel_grid", "time_surface"):
    encoding = EncodingSettings.model_validate(
        {"windows": {"kind": "regular"}, "representation": {"kind": kind}}
    )
    cutter = WindowCutter(encoding, 16, 16)
    windows = [*cutter.push(events), *cutter.finish()]
sys.stdout.write(f"{none} {before} {compiled()} {len(windows)}")
"""


@pytest.mark.slow
def test_a_stream_compiles_nothing_that_was_not_compiled_before() -> None:
    command = [sys.executable, "-c", COMPARE]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    none, before, after, num_windows = map(int, done.stdout.split())
    assert none < before == after
    assert num_windows > 2
