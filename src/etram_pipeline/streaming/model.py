"""An exported detector, which ONNX Runtime computes on a CPU."""

import base64
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer
from typing_extensions import override

from etram_pipeline.core.errors import ExportError
from etram_pipeline.streaming.agreement import Difference, Tolerance, compare_detections
from etram_pipeline.streaming.model_file import (
    AGAIN,
    is_onnx,
    read_description,
    read_model_file,
)
from etram_pipeline.streaming.selection import RawPredictions, as_found, select
from etram_pipeline.streaming.window_model import Memories, WindowModel

__all__ = ["ExportedModel", "Memories", "RawPredictions", "is_onnx", "read_description"]

_PREDICTIONS = ("boxes", "objectness", "class_scores")
_FREE = None
_QUIET = 3
"""Messages of ONNX Runtime below errors are left out."""


class ExportedModel(WindowModel):
    """A detector that ONNX Runtime computes.

    Attributes:
        path: Its file.
        memory_shapes: Shape of each memory of one lane.
        num_lanes: Lanes that it was exported for; None: any number.
        dtype: Type of the counts in a frame.
        state: Memories after the last window; empty before the first one.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Open a file.

        Args:
            path: The file.
            threads: Threads that compute one window. They wait without taking a core, and no other
                model of the process shares them.

        Raises:
            ExportError: If the file cannot be read, is none of this project or of a newer version,
                or if ONNX Runtime is not installed or cannot run it.
        """
        self.path = path
        file = read_model_file(path)
        super().__init__(file.description)
        self._session = _session(path, file.content, threads)
        inputs = self._session.get_inputs()
        self._names = tuple(each.name for each in inputs[1:])
        self._outputs = [*_PREDICTIONS, *(f"next_{name}" for name in self._names)]
        self._check_graph()
        self.memory_shapes = tuple(tuple(each.shape[1:]) for each in inputs[1:])
        self.dtype = np.dtype(inputs[0].type.removeprefix("tensor(").removesuffix(")"))
        lanes = inputs[0].shape[0]
        self.num_lanes = lanes if isinstance(lanes, int) else _FREE

    @override
    def run(
        self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        """As `step`, with the memories given and returned; several threads may call it at once.

        Args:
            frames: One window of every lane.
            memories: Memories before them; empty for the first window.
        """
        self._check_frames(frames)
        before = memories or self.zeros(len(frames))
        self._check_memories(before, len(frames))
        given = {"frames": frames} | dict(zip(self._names, before, strict=True))
        boxes, objectness, class_scores, *after = self._session.run(self._outputs, given)
        return RawPredictions(boxes, objectness, class_scores), tuple(after)

    def zeros(self, num_lanes: int) -> Memories:
        """Memories of lanes that have seen nothing."""
        return tuple(np.zeros((num_lanes, *shape), np.float32) for shape in self.memory_shapes)

    def check(self, tolerance: Tolerance | None = None) -> Difference:
        """Compute what the detector found before it was exported; the state is not changed.

        Args:
            tolerance: Largest differences that are accepted; None: those of `Tolerance`.

        Returns:
            The largest differences of all windows.

        Raises:
            ExportError: If the file has no test vector or a damaged one, or this machine finds
                something else.
        """
        windows = self.checked_windows()
        vector = self.description.test_vector
        allowed, memories = tolerance or Tolerance(), self.zeros(1)
        worst = Difference(0.0, 0.0, 0)
        expected = (
            zip(vector.boxes_xyxy, vector.class_ids, vector.scores, strict=True) if vector else ()
        )
        for number, (frames, known) in enumerate(zip(windows, expected, strict=True), start=1):
            raw, memories = self.run(frames, memories)
            [found] = select(raw, self.description)
            difference = compare_detections(
                found, as_found(*known), allowed, self.description.suppression
            )
            if difference.num_unequal:
                raise ExportError(
                    f"{self.path} computes something else here than before its export: in window "
                    f"{number} of {len(windows)}, {difference}; export it again on this "
                    "machine, or install another version of onnxruntime"
                )
            worst = worst.worse(difference)
        return worst

    def checked_windows(self) -> Integer[np.ndarray, "N 1 C H W"]:
        """Windows of one lane that the file brings along to be checked by.

        Raises:
            ExportError: If it has none, or they are damaged.
        """
        vector, shape = self.description.test_vector, self.description.frames
        if vector is None:
            raise ExportError(
                f"{self.path} has no windows to check it by: export it with a test vector"
            )
        sides = vector.num_windows, 1, shape.channels, shape.height, shape.width
        num_bytes, unpacking = math.prod(sides) * self.dtype.itemsize, zlib.decompressobj()
        try:
            # No more than is wanted, whatever a file has in store.
            content = unpacking.decompress(base64.b64decode(vector.frames), num_bytes + 1)
        except (ValueError, OverflowError, zlib.error) as error:
            raise ExportError(
                f"the test vector of {self.path} is damaged ({error}): {AGAIN}"
            ) from error
        if len(content) != num_bytes or not unpacking.eof:
            raise ExportError(
                f"the test vector of {self.path} is damaged (its frames do not have {num_bytes} "
                f"bytes): {AGAIN}"
            )
        return np.frombuffer(content, self.dtype).reshape(sides)

    def _check_graph(self) -> None:
        """Check that inputs and outputs are those of an exported detector."""
        inputs = tuple(each.name for each in self._session.get_inputs())
        outputs = {each.name for each in self._session.get_outputs()}
        wanted = ("frames", *(f"memory_{number}" for number in range(len(self._names))))
        if inputs != wanted or not outputs.issuperset(self._outputs):
            raise ExportError(
                f"{self.path} has the inputs {', '.join(inputs)} and the outputs "
                f"{', '.join(sorted(outputs))}, which are not those of an exported detector: "
                f"{AGAIN}"
            )
        frames, *memories = (each.shape for each in self._session.get_inputs())
        shape = self.description.frames
        is_known = all(isinstance(side, int) for memory in memories for side in memory[1:])
        if frames[1:] != [shape.channels, shape.height, shape.width] or not is_known:
            raise ExportError(
                f"{self.path} reads frames of {_times(tuple(frames[1:]))} and memories of "
                f"{memories}, which is not what it says about itself: {AGAIN}"
            )

    def _check_frames(self, frames: Integer[np.ndarray, "B C H W"]) -> None:
        shape = self.description.frames
        wanted = (shape.channels, shape.height, shape.width)
        if frames.shape[1:] != wanted:
            raise ExportError(
                f"{self.path} was exported for frames of {_times(wanted)} (channels, rows, "
                f"columns), but these have {_times(frames.shape[1:])}: export the detector again "
                "for these, or make frames as it was trained on"
            )
        if frames.dtype != self.dtype:
            raise ExportError(
                f"{self.path} was exported for frames of {self.dtype}, but these are of "
                f"{frames.dtype}: make them as the detector was trained on"
            )
        if self.num_lanes not in {_FREE, len(frames)}:
            raise ExportError(
                f"{self.path} was exported for {self.num_lanes} lanes at once, but these are "
                f"{len(frames)}: export the detector again with any number of lanes"
            )

    def _check_memories(self, memories: Memories, num_lanes: int) -> None:
        found = [memory.shape for memory in memories]
        if found != [(num_lanes, *shape) for shape in self.memory_shapes]:
            lanes = sorted({len(memory) for memory in memories})
            raise ExportError(
                f"the state remembers {lanes} lanes, but {num_lanes} are given, or it is that of "
                "another detector: reset it when the number of lanes changes"
            )


def _session(path: Path, content: bytes, threads: int) -> Any:  # noqa: ANN401  # onnxruntime has no types
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ExportError(
            f"{path} is run by onnxruntime, which is not installed: pip install onnxruntime"
        ) from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    # By default, threads that wait keep their cores busy.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = _QUIET
    try:
        return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this
        cause = " ".join(str(error).split())
        raise ExportError(
            f"{path} cannot be run by onnxruntime {onnxruntime.__version__} ({cause}): install a "
            "newer version, or export the detector again"
        ) from error


def _times(sides: tuple[int, ...]) -> str:
    return " x ".join(map(str, sides))
