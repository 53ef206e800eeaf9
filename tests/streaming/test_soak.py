"""A recording that is played at its own speed for a long time.

`ETRAM_SOAK_S` is the time in seconds, one minute by default.
"""

import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Integer
from tests.exported import ENCODING, describe, write_exported
from tests.streaming.moving import HEIGHT, SUPPRESSION, TRACKER, WIDTH, as_recording, moving
from typing_extensions import override

from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.live import LiveReport, LiveStream
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.sources.recording import RecordingSource
from etram_pipeline.streaming.stream import DetectionStream

SOAK_S = float(os.environ.get("ETRAM_SOAK_S", "60"))
STEP_US, LOOP_US = 50_000, 10_000_000
RATE_HZ = 200_000

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(SOAK_S * 1.5 + 120)]


class Slow(ExportedModel):
    """The small detector, which takes longer than a window lasts."""

    @override
    def step(self, frames: Integer[np.ndarray, "B C H W"]) -> RawPredictions:
        time.sleep(0.08)
        return super().step(frames)


def played(path: Path, seconds: float) -> Iterator[Chunk]:
    """The recording again and again, in real time, on one clock."""
    stop_us = int(seconds * 1e6)
    recording = open_recording(path, size=(HEIGHT, WIDTH))
    for number in itertools.count():
        shift_us = LOOP_US * number
        for chunk in RecordingSource(recording, speed=1.0):
            if isinstance(chunk, Events):
                shifted = replace(chunk, t_us=chunk.t_us + shift_us)
                if shifted.t_us[-1] > stop_us:
                    return
                yield shifted


def resident_mb() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def live(folder: Path, kind: type[ExportedModel], room: int) -> LiveStream:
    about = describe(HEIGHT // 2, WIDTH // 2, encoding=ENCODING, downsampled_by=2)
    model = kind(write_exported(folder / "detector.onnx", about))
    stream = DetectionStream(model, HEIGHT, WIDTH, suppression=SUPPRESSION, tracker=TRACKER)
    return LiveStream(stream, room=room)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return as_recording(tmp_path, moving(LOOP_US, rate_hz=RATE_HZ))


def adds_up(report: LiveReport) -> bool:
    known = report.detected + report.held + report.skipped + report.unread
    return report.windows == known


def test_memory_is_flat_and_no_window_is_lost_below_capacity(tmp_path: Path, path: Path) -> None:
    watched = live(tmp_path, ExportedModel, room=40)  # what else the machine does may take 2 s
    latencies_ms, memory_mb, stops_us = [], {}, []

    for each in watched.run(played(path, SOAK_S)):
        latencies_ms.append(each.latency_ms)
        stops_us.append(each.result.stop_us)
        if len(stops_us) % 200 == 0:
            memory_mb[len(stops_us) // 20] = round(resident_mb(), 1)

    report = watched.report()
    print(  # noqa: T201  # the figures that the test is for
        json.dumps(
            {
                "memory_mb": memory_mb,
                "latency_ms": np.percentile(latencies_ms, [50, 95, 99]).round(1).tolist(),
                **asdict(report),
            }
        )
    )
    assert stops_us == list(range(STEP_US, len(stops_us) * STEP_US + 1, STEP_US))
    assert len(stops_us) >= SOAK_S * 20 - 2
    assert (report.skipped, report.held, report.late, report.wild) == (0, 0, 0, 0)
    assert adds_up(report)
    after_warm_up = [mb for second, mb in memory_mb.items() if second > SOAK_S / 5]
    assert max(after_warm_up) - min(after_warm_up) < 8


def test_above_capacity_windows_are_left_out_and_counted(tmp_path: Path, path: Path) -> None:
    seconds = min(SOAK_S / 4, 60)
    watched = live(tmp_path, Slow, room=1)

    found = list(watched.run(played(path, seconds)))

    report = watched.report()
    assert adds_up(report)
    assert report.skipped > 0
    assert report.skipped == sum(each.num_skipped for each in found)
    assert len(found) == report.detected + report.held
    stops_us = [each.result.stop_us for each in found]
    assert np.all(np.diff(stops_us) == [STEP_US * (each.num_skipped + 1) for each in found[1:]])
