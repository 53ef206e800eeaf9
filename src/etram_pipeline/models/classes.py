"""The classes in the data that a detector learns from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingClasses:
    """The classes of a training run.

    Attributes:
        names: Classes in the order of their ids.
        counts: Number of boxes of each class in the training data.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
