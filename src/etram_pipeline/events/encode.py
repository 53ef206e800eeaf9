"""Encodes a recording into the images of its windows, in one pass."""

from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
from jaxtyping import Integer

from etram_pipeline.core.prefetch import prefetch
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.held import HeldEvents, Tally
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.representations import Representation
from etram_pipeline.events.windows import WindowPlan


def encode(
    recording: Recording,
    plan: WindowPlan,
    representation: Representation,
    tally: Tally | None = None,
) -> Iterator[Integer[np.ndarray, "C H W"]]:
    """Images of the windows of a recording, one by one.

    A window of fixed duration includes the events at both of its borders, as in the reference.
    Events are read once and dropped as soon as no later window needs them: memory grows with the
    events of one window and one chunk, not with the length of the recording.

    Args:
        recording: The recording, which is read up to the last window.
        plan: Windows to cut.
        representation: Encodes the events of a window.
        tally: Counts the events read.

    Yields:
        A new image for every window of the plan, in order.

    Raises:
        RecordingError: If the recording is damaged.
    """
    for buffer in draw_windows(recording, plan, representation, representation.buffer, tally):
        yield buffer.image


def draw_windows(
    recording: Recording,
    plan: WindowPlan,
    representation: Representation,
    take_buffer: Callable[[], ImageBuffer],
    tally: Tally | None = None,
) -> Iterator[ImageBuffer]:
    """Like `encode`, but draws on buffers that the caller provides and may reuse.

    A second thread reads the recording and cleans its events.

    Args:
        recording: The recording, which is read up to the last window.
        plan: Windows to cut.
        representation: Encodes the events of a window.
        take_buffer: Returns the buffer for the next window.
        tally: Counts the events read.

    Yields:
        A buffer for every window of the plan, in order.

    Raises:
        RecordingError: If the recording is damaged.
    """
    tally = tally or Tally()
    held = HeldEvents(plan.duration_us, plan.num_events)
    window, num_windows = 0, len(plan.stop_us)

    def draw() -> ImageBuffer:
        buffer = take_buffer()
        representation.draw(held.in_window(int(plan.stop_us[window])), buffer)
        return buffer

    with closing(prefetch(_read_span(recording, plan))) as chunks:
        for chunk in chunks:
            tally.add(chunk)
            held.append(chunk)
            # Later events may have the same time, so only windows that end before it are complete.
            num_whole = int(np.searchsorted(plan.stop_us, held.last_us))
            while window < num_whole:
                yield draw()
                window += 1
            held.forget_before(int(plan.stop_us[window]))
    while window < num_windows:
        yield draw()
        window += 1


def _read_span(recording: Recording, plan: WindowPlan) -> Iterator[Events]:
    if len(plan.stop_us) == 0:
        return iter(())
    stop_us = int(plan.stop_us[-1]) + 1
    if plan.duration_us is None:
        return recording.read(None, stop_us)
    start_us = int(plan.stop_us[0]) - plan.duration_us
    return recording.read(start_us if start_us > 0 else None, stop_us)
