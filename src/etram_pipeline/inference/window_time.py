"""How long a detector takes for one window."""

import time

import torch
from jaxtyping import Shaped
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.inference.predict import arithmetic
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.models.execution import Precision


def seconds_of_windows(
    detector: Detector, windows: Shaped[Tensor, "T C H W"], precision: Precision = "32"
) -> list[float]:
    """Processor time that detecting takes in each of consecutive windows, one by one, on the CPU.

    The time of all threads is counted, and other programs change it less than the time that passes.

    Args:
        detector: The detector, in evaluation mode.
        windows: Representations of one recording, from its start on.
        precision: Arithmetic of the detector; not `auto`.

    Returns:
        Seconds of each window, from its representation to its selected boxes.
    """
    state: State = ()
    seconds = []
    with torch.inference_mode(), arithmetic(torch.device("cpu"), precision):
        for number, window in enumerate(windows):
            start = time.process_time()
            keyframe = torch.zeros(1, 2, dtype=torch.int64)
            batch = SequenceBatch(window[None, None], torch.tensor([number == 0]), keyframe)
            _, state = detector.detect(batch, state, SuppressionSettings())
            seconds.append(time.process_time() - start)
    return seconds
