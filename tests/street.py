"""What a user copies to a small computer: a detector, and a recording for it."""

from pathlib import Path

import numpy as np
from tests.events.conftest import HEADERS, encode_evt3
from tests.exported import some_windows, write_checked

from etram_pipeline.core.recording import Events

HEIGHT, WIDTH = 64, 128
DURATION_US = 1_000_000
NUM_EVENTS = 100_000


def write_street(folder: Path) -> None:
    """Write `detector.onnx` and `street.raw`, of one second of events anywhere."""
    windows = some_windows(3, HEIGHT // 2, WIDTH // 2)
    write_checked(folder / "detector.onnx", windows, downsampled_by=2)
    rng = np.random.default_rng(0)
    events = Events(
        x=rng.integers(0, WIDTH, NUM_EVENTS).astype(np.uint16),
        y=rng.integers(0, HEIGHT, NUM_EVENTS).astype(np.uint16),
        t_us=np.sort(rng.integers(0, DURATION_US, NUM_EVENTS)),
        polarity=rng.integers(0, 2, NUM_EVENTS).astype(np.uint8),
    )
    header = HEADERS["evt3"].replace("=120", f"={HEIGHT}").replace("=160", f"={WIDTH}")
    (folder / "street.raw").write_bytes(header.encode() + encode_evt3(events))
