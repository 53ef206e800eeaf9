"""Detectors and the parts they are built from; torch only."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etram_pipeline.models.detector import Detector
else:  # the command line reads this module long before anything needs torch
    Detector = object

__all__ = ["load_detector"]


def load_detector(path: Path | str, *, partition_split: int | None = None) -> Detector:
    """The detector stored in a checkpoint, on the CPU and in evaluation mode.

    Reads checkpoints of this project and Lightning checkpoints of RVT and its eTraM forks. The
    architecture of the latter is inferred from their tensors, and the log states what was assumed.

    Args:
        path: The file.
        partition_split: For checkpoints of RVT: number of windows along each side of the coarsest
            map, which tensors do not determine; None: 1 with two classes, as on Gen1, else 2.

    Raises:
        CheckpointError: If the file is missing, damaged or holds something else.
    """
    from etram_pipeline.models.checkpoint import read_checkpoint

    return read_checkpoint(Path(path), partition_split=partition_split).detector
