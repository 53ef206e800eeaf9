"""Detection with another time between windows than in training."""

from etram_pipeline.models.cells import Cell
from etram_pipeline.models.detector import Detector


def knows_time(detector: Detector) -> bool:
    """Whether the recurrence can adapt to another time between windows; most cells cannot."""
    return any(cell.knows_time for cell in _cells(detector))


def rescale_time(detector: Detector, factor: float) -> None:
    """Set the time between windows to `factor` times that of training.

    Another call replaces the factor, which is not saved with the weights. Detectors that cannot
    adapt do not change.

    Raises:
        ValueError: If the factor is not a positive number.
    """
    for cell in _cells(detector):
        cell.rescale_time(factor)


def _cells(detector: Detector) -> list[Cell]:
    return [module for module in detector.modules() if isinstance(module, Cell)]
