"""What the data a detector learns from says about its classes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingClasses:
    """The classes of a training.

    Attributes:
        names: Classes in the order of their ids.
        counts: Boxes of each class to learn from.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
