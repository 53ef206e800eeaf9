"""The classes and clips that a detector learns from."""

from dataclasses import dataclass

from etram_pipeline.events.representations import RepresentationConfig


@dataclass(frozen=True)
class TrainingClasses:
    """The classes of a training run.

    Attributes:
        names: Classes in the order of their ids.
        counts: Number of boxes of each class in the training data.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class TrainingClips:
    """The clips of a training run.

    Attributes:
        length: Windows in a clip.
        representation: How the events of a window became a tensor; None if not known.
        channels: Number of channels of the tensor; None if not known.
        downsampled_by: How much smaller than the sensor it is; None if not known.
        class_names: Classes of the labels, in the order of their ids; empty if not known.
        scales: Scales that the training resizes frames by; empty for none.
        label_gap: Least number of windows from one labelled window to the next; None if not known.
        has_tracks: Whether any label has a track; None if not known.
        size_multiple: Number of px that the detector pads frames to multiples of; None if not
            known.
    """

    length: int
    representation: RepresentationConfig | None = None
    channels: int | None = None
    downsampled_by: int | None = None
    class_names: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    label_gap: int | None = None
    has_tracks: bool | None = None
    size_multiple: int | None = None
