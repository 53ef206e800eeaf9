"""Reusable memory for images."""

from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

import numpy as np
from jaxtyping import Integer, UInt8, UInt32

_WORD_BITS = 64


class ImageBuffer:
    """One image, and the cells to clear before it is drawn on again.

    Allocating and clearing a new image takes longer than drawing on it.

    Attributes:
        image: The image.
        home: The pool it is returned to; None without a pool.
    """

    def __init__(self, image: Integer[np.ndarray, "C H W"]) -> None:
        self.image = image
        self.home: SimpleQueue[ImageBuffer] | None = None
        self._cells = np.empty(0, np.uint32)
        self._num_touched: int | None = None
        self._marks = np.empty(0, np.uint64)

    def cells(self, num: int) -> UInt32[np.ndarray, " K"]:
        """An array to record at least `num` cells that are drawn on."""
        if len(self._cells) < num:
            self._cells = np.empty(num + num // 4, np.uint32)
        return self._cells

    def touch(self, num: int) -> None:
        """Record that exactly the first `num` entries of `cells` were drawn on."""
        self._num_touched = num

    @property
    def num_touched(self) -> int | None:
        """Entries of `cells` that were drawn on, with repetitions; None if unknown."""
        return self._num_touched

    def lift(self) -> tuple[UInt32[np.ndarray, " K"], UInt8[np.ndarray, " K"]]:
        """Remove what was drawn on an 8-bit image; return its cells, in order, and their values.

        Only for a buffer with known `num_touched`; its image is all zeros afterwards. The returned
        cells are valid until the buffer is drawn on again.
        """
        # Numba takes a second to import.
        from etram_pipeline.events.kernels import lift

        num_words = self.image.size // _WORD_BITS + 1
        if len(self._marks) == 0:
            self._marks = np.zeros(num_words + num_words // _WORD_BITS + 1, np.uint64)
        cells = self._cells[: self._num_touched or 0]
        values = np.empty(len(cells), np.uint8)
        marks = self._marks[:num_words], self._marks[num_words:]
        num = lift(self.image.reshape(-1), cells, values, marks)
        self._num_touched = 0
        return cells[:num], values[:num]

    def put_back(self, cells: UInt32[np.ndarray, " K"], values: UInt8[np.ndarray, " K"]) -> None:
        """Undo `lift`, given its results."""
        self.image.reshape(-1)[cells] = values
        self._num_touched = len(cells)

    def blank(self) -> None:
        """Clear the cells that were drawn on."""
        if self._num_touched:
            # Numba takes a second to import.
            from etram_pipeline.events.kernels import clear

            clear(self.image.reshape(-1), self._cells[: self._num_touched])
            self._num_touched = 0

    def give_back(self) -> None:
        """Return the buffer to its pool; its image must not be used any more."""
        if self.home is not None:
            self.home.put(self)


class ImageBuffers:
    """A pool of buffers, taken to be drawn on and given back after the image was used."""

    def __init__(self, buffers: Iterable[ImageBuffer]) -> None:
        self._free: SimpleQueue[ImageBuffer] = SimpleQueue()
        for buffer in buffers:
            buffer.home = self._free
            buffer.give_back()

    def take(self) -> ImageBuffer:
        """A free buffer; waits until there is one."""
        return self._free.get()

    def take_or_add(self, make: Callable[[], ImageBuffer]) -> ImageBuffer:
        """A free buffer; if there is none, a new one that belongs to the pool."""
        try:
            return self._free.get_nowait()
        except Empty:
            buffer = make()
            buffer.home = self._free
            return buffer
