"""Threads that compress images, when something goes wrong."""

import inspect
import sys
from collections.abc import Generator
from contextlib import closing
from queue import SimpleQueue

import numpy as np
import pytest

from etram_pipeline.events.canvas import Canvas
from etram_pipeline.sequences.compression import compress


def make_canvas() -> Canvas:
    return Canvas(np.zeros((2, 8, 8), np.uint8))


def draw_forever() -> Generator[Canvas, None, None]:
    while True:
        yield make_canvas()


def test_without_a_compressor_canvases_are_given_back_for_someone_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    canvas = make_canvas()
    canvas.home = SimpleQueue()

    with pytest.raises(ImportError):
        list(compress([canvas], "archive"))

    assert canvas.home.get_nowait() is canvas


def test_who_stops_early_stops_the_drawing() -> None:
    drawing = draw_forever()
    with closing(compress(drawing, "training")) as chunks:
        next(chunks)

    assert inspect.getgeneratorstate(drawing) == inspect.GEN_CLOSED
