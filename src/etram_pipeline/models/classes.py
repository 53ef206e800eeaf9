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
    """

    length: int
    representation: RepresentationConfig | None = None
