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
        label_gap: Least number of windows from one labelled window to the next; None if not known.
        has_tracks: Whether any label has a track; None if not known.
    """

    length: int
    representation: RepresentationConfig | None = None
    label_gap: int | None = None
    has_tracks: bool | None = None
