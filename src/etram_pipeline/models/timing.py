"""Running a detector at other times between windows than it was trained at."""

from etram_pipeline.models.cells import Cell
from etram_pipeline.models.detector import Detector


def knows_time(detector: Detector) -> bool:
    """Whether its recurrence can allow for another time between windows; most count windows."""
    return any(cell.knows_time for cell in _cells(detector))


def rescale_time(detector: Detector, factor: float) -> None:
    """Let the time between windows be `factor` times what the detector was trained at.

    Calling again replaces the factor, which is not saved with the weights. It does nothing to a
    detector that does not know of time.

    Raises:
        ValueError: If the factor is not a positive number.
    """
    for cell in _cells(detector):
        cell.rescale_time(factor)


def _cells(detector: Detector) -> list[Cell]:
    return [module for module in detector.modules() if isinstance(module, Cell)]
