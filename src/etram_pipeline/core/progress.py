"""Progress of the current stage of a run: the stage reports it, the display reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Progress of one stage of a run.

    Attributes:
        text: The work done so far, in words; empty if unknown.
        done: Amount of work done, in any unit.
        total: Total amount of work, in the same unit; None if unknown.
    """

    text: str = ""
    done: float | int = 0
    total: float | int | None = None


class _Latest:
    progress = Progress()


def report_progress(
    text: str = "", done: float | int = 0, total: float | int | None = None
) -> None:
    """Report the progress of the current stage; cheap enough for every batch."""
    _Latest.progress = Progress(text, done, total)


def latest_progress() -> Progress:
    """The last report."""
    return _Latest.progress
