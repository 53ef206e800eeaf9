"""An exported detector that OpenVINO computes."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer
from typing_extensions import override

from etram_pipeline.streaming.description import Description
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.window_model import Memories, WindowModel

_NUM_PREDICTIONS = 3


class OpenVinoModel(WindowModel):
    """An exported detector with one lane, computed by OpenVINO.

    Args:
        path: The exported file.
        description: What it says about itself.
        precision: Numbers that it computes with; OpenVINO by itself chooses the fastest.
        threads: Threads that compute one window.
    """

    def __init__(
        self, path: Path, description: Description, precision: str, *, threads: int
    ) -> None:
        super().__init__(description)
        import openvino

        core = openvino.Core()
        model = core.read_model(path)
        model.reshape({each.any_name: [1, *_sides(each)[1:]] for each in model.inputs})
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        compiled = core.compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        self._num_outputs = len(compiled.outputs)
        self._zeros = tuple(np.zeros(tuple(each.shape), np.float32) for each in compiled.inputs[1:])

    @override
    def run(
        self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        self._request.infer([frames, *(memories or self._zeros)], share_inputs=True)
        # It hands out the memory that it computes the next window in.
        outputs = [
            self._request.get_output_tensor(number).data.copy()
            for number in range(self._num_outputs)
        ]
        return RawPredictions(*outputs[:_NUM_PREDICTIONS]), tuple(outputs[_NUM_PREDICTIONS:])


def _sides(port: Any) -> list[int]:  # noqa: ANN401, openvino is optional
    """Length of each axis; -1 where it is free."""
    return [side.get_length() if side.is_static else -1 for side in port.partial_shape]
