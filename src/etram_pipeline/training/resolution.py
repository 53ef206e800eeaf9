"""Training at several resolutions, which the state of a stream is carried through."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.models.resizing import (
    resize_frames,
    resize_maps,
    resize_targets,
    scaled_size,
)
from etram_pipeline.training.settings import ResolutionSettings

_SALT = 7
"""Keeps these draws apart from others that begin with the same seed."""

Size = tuple[int, int]


class MixedResolution:
    """Resizes batches, and the state that came before, by a scale drawn for each number of batch.

    The scale follows from seed and number alone, so it is the same on every device, and in a
    training that was interrupted.
    """

    def __init__(self, settings: ResolutionSettings, detector: Detector, seed: int) -> None:
        """Resize for `detector`.

        Raises:
            SettingsError: If the detector resizes frames itself, which would undo it.
        """
        if settings.scales and detector.input_size is not None:
            raise SettingsError(
                f"train.resolution.scales {list(settings.scales)} resize frames that "
                f"detector.input_size {list(detector.input_size)} would resize back; set only one"
            )
        self._settings = settings
        self._multiple = detector.size_multiple
        self._seed = seed

    def scale(self, number: int) -> float:
        """Scale of a batch, counted from 0."""
        draw = number // self._settings.every_batches
        rng = np.random.default_rng([self._seed, _SALT, draw])
        return float(rng.choice(self._settings.scales))

    def __call__(
        self, batch: SequenceBatch, state: State, number: int, last: int | None = None
    ) -> tuple[SequenceBatch, State]:
        """A batch and the state before it, both at the resolution of the batch.

        Args:
            batch: Batch in the size of the stored frames.
            state: State after an earlier batch of the same stored size, in the resolution of that.
            number: Number of the batch, counted from 0.
            last: Number of that earlier batch; None: the one before.
        """
        if not self._settings.scales:
            return batch, state
        native = batch.frames.shape[-2], batch.frames.shape[-1]
        size = scaled_size(native, self.scale(number))
        if state:
            old_size = scaled_size(native, self.scale(number - 1 if last is None else last))
            state = tuple(self._resize_memory(memory, old_size, size) for memory in state)
        if size == native:
            return batch, state
        frames = resize_frames(batch.frames, *size)
        targets = resize_targets(batch.targets, native, size)
        return replace(batch, frames=frames, targets=targets), state

    def _resize_memory(
        self, memory: Float[Tensor, "B C H W"], old_size: Size, size: Size
    ) -> Float[Tensor, "B C h w"]:
        """A memory of frames of `old_size`, each place of it where it is in frames of `size`."""
        if size == old_size:
            return memory
        padded, old_padded = self._padded(size), self._padded(old_size)
        height, width = (
            length * new // old
            for length, new, old in zip(memory.shape[-2:], padded, old_padded, strict=True)
        )
        # Of the padded size, the share that is frame differs from scale to scale.
        y, x = (
            (new_pad / new) * (old / old_pad)
            for new_pad, new, old_pad, old in zip(padded, size, old_padded, old_size, strict=True)
        )
        return resize_maps(memory, (height, width), (y, x)).to(memory.dtype)

    def _padded(self, size: Size) -> Size:
        height, width = (-(-length // self._multiple) * self._multiple for length in size)
        return height, width
