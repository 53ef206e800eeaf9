"""What is the same in all windows of a stream."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """What outputs show beside the windows.

    Attributes:
        detector: Name of the detector's file.
        source: What is watched.
        size: Height and width of the sensor, in px.
        frame_size: Height and width of the frames that the detector reads, in px.
        downsampled_by: Px of the sensor per px of a frame, along each axis.
        step_us: Time between the ends of two windows, in microseconds.
        class_names: Name of each class id.
    """

    detector: str
    source: str
    size: tuple[int, int]
    frame_size: tuple[int, int]
    downsampled_by: int
    step_us: int
    class_names: tuple[str, ...]
