"""The clock time of recordings whose files state when they began."""

from datetime import datetime
from pathlib import Path

import numpy as np
from tests.events.conftest import HEADERS, encode_evt3
from tests.preprocessing.test_jobs import DATASET, HISTOGRAM, REGULAR, STORAGE

from etram_pipeline.core.recording import Events
from etram_pipeline.preprocessing.representations import EncodeJob


def test_the_clock_time_of_time_zero_is_stored(tmp_path: Path) -> None:
    events = Events(
        x=np.zeros(2, np.uint16),
        y=np.zeros(2, np.uint16),
        t_us=np.array([2_000_000, 2_090_000]),
        polarity=np.zeros(2, np.uint8),
    )
    recording = tmp_path / "street.raw"
    header = "% Date 2020-09-25 07:48:29\n" + HEADERS["evt3"]
    recording.write_bytes(header.encode() + encode_evt3(events))

    record = EncodeJob(recording, (), 0, DATASET, REGULAR, HISTOGRAM, STORAGE)(
        tmp_path / "out", "mark"
    )

    assert record.summary.started_at == datetime(2020, 9, 25, 7, 48, 27)
