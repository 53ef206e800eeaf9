"""A detector that PyTorch computes, behind the interface of streams."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Integer
from typing_extensions import override

from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.execution import Execution
from etram_pipeline.streaming.description import Description
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.window_model import Memories, WindowModel


class TorchModel(WindowModel):
    """A detector computed by PyTorch.

    Args:
        detector: The detector, in evaluation mode.
        description: What its exported file says about itself.
        precision: `32`, or `bf16-mixed`: products and convolutions in bfloat16.
    """

    def __init__(self, detector: Detector, description: Description, precision: str = "32") -> None:
        super().__init__(description)
        self._detector = detector
        self._precision = precision

    @override
    def run(
        self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        is_mixed = self._precision != "32"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_mixed):
            before = tuple(torch.from_numpy(memory) for memory in memories)
            found, after = self._detector.predict_window(torch.from_numpy(frames), before)
        predictions = (found.boxes_xyxy, found.objectness, found.class_scores)
        return (
            RawPredictions(*(each.float().numpy() for each in predictions)),
            tuple(memory.float().numpy() for memory in after),
        )


def read_torch_model(
    path: Path,
    description: Description,
    precision: str = "32",
    execution: Execution | None = None,
    *,
    threads: int,
) -> TorchModel:
    """The detector of a checkpoint; all of PyTorch in this process uses so many threads.

    Raises:
        CheckpointError: If the checkpoint cannot be read.
        SettingsError: If the detector cannot compute as `execution` says.

    """
    torch.set_num_threads(threads)
    detector = read_checkpoint(path).detector
    detector.execute_with(execution or Execution())
    return TorchModel(detector, description, precision)
