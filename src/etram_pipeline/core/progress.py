"""How far the current stage of a run is: the stage reports it, and `core.display` shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far one stage of a run is.

    Attributes:
        text: What is done, in words; empty if nothing is known.
        done: How much is done, in any unit.
        total: How much there is to do, in the same unit; None if that is not known.
    """

    text: str = ""
    done: float | int = 0
    total: float | int | None = None


class _Latest:
    progress = Progress()


def report_progress(
    text: str = "", done: float | int = 0, total: float | int | None = None
) -> None:
    """Report how far the current stage is; cheap enough for every batch."""
    _Latest.progress = Progress(text, done, total)


def latest_progress() -> Progress:
    """The last report."""
    return _Latest.progress
