"""Exported detectors behind the interface of all others."""

from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Integer
from pydantic import ValidationError
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.errors import ExportError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector, Losses, State, check_lanes, reset_state
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.lanes import cores_in_use, in_threads
from etram_pipeline.streaming.model import ExportedModel, Memories
from etram_pipeline.streaming.selection import Found, select

_Keyframe = tuple[int, int]


class ExportedDetector(Detector):
    """A detector that ONNX Runtime computes on the CPU, whatever device the batch is on.

    Lanes are computed one after another in each of as many threads as there are cores: a batch of
    lanes takes as long as all of them in turn, and threads that share the work of one window wait
    for each other.
    """

    computes_lanes_apart: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            ExportError: As `ExportedModel`.
        """
        super().__init__()
        self._path, self._threads = path, 1
        self._model = ExportedModel(path)
        self.description = self._model.description
        self.has_memory = bool(self._model.memory_shapes)
        self.frame_size = self.description.frames.height, self.description.frames.width

    @property
    def config(self) -> DetectorConfig | None:
        """Settings that it was built from; None if they are not known here."""
        try:
            return DetectorConfig.model_validate(self.description.detector)
        except ValidationError:
            return None

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        raise ExportError(
            f"{self._path} is an exported detector, which cannot learn: train the checkpoint that "
            "it was exported from"
        )

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        check_lanes(state, len(batch.starts))
        before = self._memories(reset_state(state, batch.starts.cpu()), len(batch.starts))
        frames = batch.frames.cpu().numpy()
        keyframes = [(t, lane) for t, lane in batch.keyframes.tolist()]
        lanes_of_groups = self._groups(len(batch.starts))
        self._use_threads(max(1, cores_in_use() // len(lanes_of_groups)))
        calls = [(frames, before, group, keyframes, suppression) for group in lanes_of_groups]
        computed = in_threads(self._run, calls) if len(calls) > 1 else [self._run(*calls[0])]
        found: dict[_Keyframe, Found] = {}
        for of_group, _ in computed:
            found |= of_group
        parts = zip(*(memories for _, memories in computed), strict=True)
        after = tuple(torch.from_numpy(np.concatenate(each)) for each in parts)
        return [self._detections(found[keyframe]) for keyframe in keyframes], after

    def _memories(self, state: State, num_lanes: int) -> Memories:
        if not state:
            return self._model.zeros(num_lanes)
        return tuple(memory.numpy() for memory in state)

    def _groups(self, num_lanes: int) -> list[range]:
        """The lanes of each thread."""
        number = min(cores_in_use(), num_lanes)
        borders = [num_lanes * group // number for group in range(number + 1)]
        return [range(*each) for each in pairwise(borders)]

    def _use_threads(self, threads: int) -> None:
        """Compute each window with so many threads, which are chosen when a file is opened."""
        if threads != self._threads:
            self._model, self._threads = ExportedModel(self._path, threads=threads), threads

    def _run(
        self,
        frames: Integer[np.ndarray, "T B C H W"],
        before: Memories,
        lanes: range,
        keyframes: list[_Keyframe],
        suppression: SuppressionSettings,
    ) -> tuple[dict[_Keyframe, Found], Memories]:
        """Detections at the keyframes of some lanes, and the memories of these lanes."""
        at_once = self._model.num_lanes or 1
        wanted, after = set(keyframes), []
        found: dict[_Keyframe, Found] = {}
        for first in lanes[::at_once]:
            together = range(first, min(first + at_once, lanes.stop))
            memories = tuple(memory[first : together.stop] for memory in before)
            for t, window in enumerate(frames[:, first : together.stop]):
                here = [lane for lane in together if (t, lane) in wanted]
                if not (here or self.has_memory):
                    continue
                raw, memories = self._model.run(np.ascontiguousarray(window), memories)
                of_lanes = select(raw, self.description, suppression) if here else []
                found |= {(t, lane): of_lanes[lane - first] for lane in here}
            after.append(memories)
        joined = tuple(np.concatenate(each) for each in zip(*after, strict=True))
        return found, joined

    def _detections(self, found: Found) -> Detections:
        has_objectness = self.description.selection == "suppression"
        return Detections(
            boxes_xyxy=torch.from_numpy(found.boxes_xyxy),
            class_ids=torch.from_numpy(found.class_ids),
            scores=torch.from_numpy(found.scores),
            objectness=_tensor_if(found.objectness, is_given=has_objectness),
            class_scores=_tensor_if(found.class_scores, is_given=has_objectness),
        )


def _tensor_if(values: np.ndarray, *, is_given: bool) -> Tensor | None:
    return torch.from_numpy(values) if is_given else None
