"""What a detector computes at once, for estimates of the memory that it takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """The windows that a detector computes at once.

    Attributes:
        height: Height of the frames in px.
        width: Width of the frames in px.
        num_windows: Number of windows.
        num_keyframes: How many of them are keyframes, on average.
    """

    height: int
    width: int
    num_windows: int
    num_keyframes: float

    def window_px(self, input_size: tuple[int, int] | None) -> float:
        """Pixels of all windows, resized to this height and width; None: not resized."""
        height, width = input_size or (self.height, self.width)
        return float(self.num_windows * height * width)

    def keyframe_px(self, input_size: tuple[int, int] | None) -> float:
        """Pixels of the keyframes, likewise."""
        return self.window_px(input_size) * self.num_keyframes / self.num_windows


@dataclass(frozen=True)
class BytesPerPx:
    """Memory that a detector takes for each pixel of its input, in single precision on a CPU.

    Attributes:
        training: Bytes in a training step, which keeps all activations for the gradients.
        detection: Bytes in detection.
    """

    training: int
    detection: int

    def of(self, num_px: float, *, training: bool) -> float:
        """Bytes for so many pixels."""
        return num_px * (self.training if training else self.detection)
