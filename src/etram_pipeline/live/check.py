"""Whether this computer computes what the one that exported a detector did, and how fast."""

import time
from collections.abc import Iterator

from etram_pipeline.live.latencies import Latencies
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.selection import select

_NUM_MEASURED = 100
_NUM_BEFORE = 5
"""Windows that are computed before any is measured; the first ones take longer."""


def check_detector(model: ExportedModel) -> Iterator[str]:
    """What was found, line by line.

    Args:
        model: The detector.

    Raises:
        ExportError: If it computes something else here than where it was exported.
    """
    windows, description = model.checked_windows(), model.description
    worst = model.check()
    yield (
        f"{model.path}: the detections in {len(windows)} windows are those found before the "
        f"export; boxes differ by up to {worst.boxes_px:.2g} px, scores by up to {worst.scores:.2g}"
    )
    latencies, memories = Latencies(), model.zeros(1)
    for number in range(_NUM_BEFORE + _NUM_MEASURED):
        start_s = time.perf_counter()
        raw, memories = model.run(windows[number % len(windows)], memories)
        select(raw, description)
        if number >= _NUM_BEFORE:
            latencies.add(1000 * (time.perf_counter() - start_s))
    found = ", ".join(f"p{each} {latencies.percentile(each):.1f} ms" for each in (50, 95, 99))
    shape = description.frames
    yield f"a window of {shape.height} x {shape.width} px takes {found}, without drawing its events"
    step_ms = description.encoding.windows.step_ms
    keeps_up = latencies.percentile(95) < step_ms
    found = "keeps up with them" if keeps_up else "is too slow or too busy: some would be left out"
    yield f"windows come every {step_ms} ms: this computer {found}"
