"""Whether an exported file computes what the detector of its checkpoint computes."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Integer

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ParityError
from etram_pipeline.deployment.differences import Differences, largest_difference, largest_share
from etram_pipeline.deployment.settings import ParitySettings
from etram_pipeline.inference.window_rate import match_window_rate
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.streaming.agreement import Difference, Tolerance, compare_detections
from etram_pipeline.streaming.description import Selection
from etram_pipeline.streaming.model import ExportedModel, Memories
from etram_pipeline.streaming.selection import Found, RawPredictions, as_found, select

logger = logging.getLogger(__name__)

Window = Integer[np.ndarray, "C H W"]

Outputs = tuple[Float32[np.ndarray, "A 4"], Float32[np.ndarray, "A 1"], Float32[np.ndarray, "A K"]]
"""Boxes, objectness and class scores of one lane."""

LANES = 2
"""Lanes in which a file for any number of them is compared with a single lane."""

WINDOWS_OF_LANES = 5
"""Windows in which they are compared."""


@dataclass(frozen=True)
class Parity:
    """The largest differences between an exported file and the detector of its checkpoint.

    Attributes:
        windows: Windows that were compared.
        boxes_px: Of a corner before suppression, in px of the frame.
        scores: Of an objectness or class score before suppression.
        memories: Of a number that is remembered; see `ParitySettings`.
        kept_boxes_px: Of a corner of a detection, in px of the frame.
        kept_scores: Of the score of a detection.
        detections: Detections that were compared.
        tied: Windows whose detections agree only if the threshold of the overlap is moved by the
            tolerance of scores, because the overlap of two boxes lies there.
    """

    windows: int
    boxes_px: float
    scores: float
    memories: float
    kept_boxes_px: float
    kept_scores: float
    detections: int
    tied: int

    def numbers(self) -> dict[str, float]:
        """The differences as metrics by name."""
        return {f"deploy/parity/{name}": float(value) for name, value in vars(self).items()}


def check_parity(
    checkpoint: Checkpoint,
    path: Path,
    stretches: Iterable[Iterable[Window]],
    settings: ParitySettings,
) -> Parity:
    """Compare a file with the detector that it was exported from, window after window.

    Both carry their memory from window to window. Compared are all predictions before suppression,
    the memories, and the detections by the thresholds of the file. A detection that only one of the
    two has is an error, unless its score is at the threshold, or an overlap is (`Parity.tied`),
    within the tolerance of scores. Finally, the file must answer the first windows as before when
    its memory is emptied, to the bit, and several lanes as it answers one.

    Args:
        checkpoint: What the file was exported from, on the CPU. If its cells scale with time, they
            are set to the windows of the file.
        path: The file.
        stretches: Consecutive windows; each stretch begins with an empty memory.
        settings: Number of windows, and limits.

    Raises:
        ParityError: If a difference exceeds its limit; names the worst window and output.
        ExportError: If the file cannot be run.
        ValueError: If there is no window.
    """
    model = ExportedModel(path)
    match_window_rate(checkpoint.detector, checkpoint.encoding, [model.description.encoding])
    comparison = _Comparison(checkpoint.detector.eval(), model, settings)
    first: list[Window] = []
    for stretch in stretches:
        comparison.restart()
        for window in islice(stretch, settings.windows - comparison.windows):
            comparison.add(window)
            first = [*first, window][:WINDOWS_OF_LANES]
    if not first:
        raise ValueError("there is no window to compare the exported detector in")
    fault = comparison.fault() or _reset_fault(model, first) or _lanes_fault(model, first, settings)
    if fault:
        raise ParityError(
            f"the exported file does not compute what the detector of its checkpoint computes: "
            f"{fault}; it is not kept: try another version of onnxruntime or of PyTorch"
        )
    found = comparison.result()
    if not found.detections:
        logger.warning(
            "the detector found nothing that scores at least %s in %s: what its exported file "
            "detects was not compared; lower deploy.suppression.score_threshold",
            model.description.suppression.score_threshold,
            counted(found.windows, "window"),
        )
    return found


class _Comparison:
    """Both detectors, window after window, and their largest differences so far."""

    def __init__(self, detector: Detector, model: ExportedModel, settings: ParitySettings) -> None:
        self._detector, self._model, self._settings = detector, model, settings
        self._tolerance = Tolerance(boxes_px=settings.kept_boxes_px, scores=settings.kept_scores)
        self._differences = Differences()
        self._unequal = ""
        self.windows, self._detections, self._tied = 0, 0, 0
        self.restart()

    def restart(self) -> None:
        """Empty the memory of both."""
        self._memories: Memories = ()
        self._state: State = ()
        self._state_of_detection: State = ()

    def add(self, window: Window) -> None:
        """Compare them in the next window."""
        self.windows += 1
        raw, self._memories = self._model.run(_alone(self._model, window), self._memories)
        frames = torch.from_numpy(window[None])
        with torch.inference_mode():
            expected, self._state = self._detector.predict_window(frames, self._state)
        self._compare_raw(_as_raw(expected), raw)
        shares = largest_share(
            [memory[:1] for memory in self._memories], [m.numpy() for m in self._state]
        )
        for number, share in enumerate(shares):
            self._see("memories", share, f"numbers of memory_{number}")
        self._compare_detections(raw, self._detect(frames))

    def fault(self) -> str:
        """What exceeds its limit; empty if nothing does."""
        faults = self._differences.fault(self._settings), self._unequal
        return "; ".join(filter(None, faults))

    def result(self) -> Parity:
        """The largest differences."""
        worst = self._differences
        return Parity(
            windows=self.windows,
            boxes_px=worst["boxes_px"],
            scores=worst["scores"],
            memories=worst["memories"],
            kept_boxes_px=worst["kept_boxes_px"],
            kept_scores=worst["kept_scores"],
            detections=self._detections,
            tied=self._tied,
        )

    def _see(self, kind: str, value: float, output: str) -> None:
        self._differences.see(kind, value, output, self.windows)

    def _compare_raw(self, expected: RawPredictions, raw: RawPredictions) -> None:
        for kind, output, value in _raw_differences(
            expected, raw, self._model.description.selection, self._settings
        ):
            self._see(kind, value, output)

    def _detect(self, frames: torch.Tensor) -> Detections:
        batch = SequenceBatch(
            frames[None], torch.zeros(1, dtype=torch.bool), torch.zeros(1, 2, dtype=torch.int64)
        )
        with torch.inference_mode():
            (found,), self._state_of_detection = self._detector.detect(
                batch, self._state_of_detection, self._model.description.suppression
            )
        return found

    def _compare_detections(self, raw: RawPredictions, detections: Detections) -> None:
        expected = as_found(
            detections.boxes_xyxy.tolist(),
            detections.class_ids.tolist(),
            detections.scores.tolist(),
        )
        self._detections += len(expected.scores)
        difference = self._difference(raw, expected)
        if difference.num_unequal:
            moved = [self._difference(raw, expected, move) for move in (-1, 1)]
            self._tied += any(not each.num_unequal for each in moved)
            if all(each.num_unequal for each in moved):
                self._unequal = self._unequal or f"in window {self.windows}, {difference}"
            return
        self._see("kept_boxes_px", difference.boxes_px, "boxes of detections")
        self._see("kept_scores", difference.scores, "scores of detections")

    def _difference(self, raw: RawPredictions, expected: Found, move: int = 0) -> Difference:
        """The difference of detections, with the threshold of overlap moved by the tolerance."""
        settings = self._model.description.suppression
        overlap = min(settings.iou_threshold + move * self._tolerance.scores, 1.0)
        moved = settings.model_copy(update={"iou_threshold": overlap})
        found = select(raw, self._model.description, moved)[0]
        return compare_detections(found, expected, self._tolerance, settings)


def _raw_differences(
    expected: RawPredictions, raw: RawPredictions, selection: Selection, settings: ParitySettings
) -> list[tuple[str, str, float]]:
    """Kind, output and size of the differences in the first lane, before suppression."""
    ours = raw.boxes_xyxy[0], raw.objectness[0], raw.class_scores[0]
    theirs = expected.boxes_xyxy[0], expected.objectness[0], expected.class_scores[0]
    seen = (theirs[1] * theirs[2]).max(-1, initial=0) >= settings.min_score
    all_boxes = np.ones_like(seen)
    if selection != "suppression":
        # The order of queries has no meaning, and those of almost the same rank swap their places.
        ours, all_boxes = _in_order_of(theirs, ours, settings), seen
    kinds = (
        ("boxes_px", "boxes", seen),
        ("scores", "objectness", all_boxes),
        ("scores", "class_scores", all_boxes),
    )
    return [
        (kind, output, largest_difference(our[chosen], their[chosen]))
        for (kind, output, chosen), our, their in zip(kinds, ours, theirs, strict=True)
    ]


def _in_order_of(theirs: Outputs, ours: Outputs, settings: ParitySettings) -> Outputs:
    """Our queries, each in the place of that of theirs which it is most like."""
    apart = sum(
        np.abs(their[:, None] - our[None]).max(-1) / limit
        for their, our, limit in zip(
            theirs, ours, (settings.boxes_px, settings.scores, settings.scores), strict=True
        )
    )
    nearest = np.argmin(apart, axis=1)
    return ours[0][nearest], ours[1][nearest], ours[2][nearest]


def _reset_fault(model: ExportedModel, windows: Sequence[Window]) -> str:
    """Whether an emptied memory gives other answers to the first windows; empty if it does not."""
    answers: list[bytes] = []
    for _ in range(2):
        memories: Memories = ()
        for window in windows:
            raw, memories = model.run(_alone(model, window), memories)
            answers.append(b"".join(each.tobytes() for each in vars(raw).values()))
    if answers[: len(windows)] == answers[len(windows) :]:
        return ""
    return "the first windows, shown again to an empty memory, are answered otherwise"


def _lanes_fault(model: ExportedModel, windows: Sequence[Window], settings: ParitySettings) -> str:
    """What differs between a lane among several and the same lane alone; empty if nothing does."""
    num_lanes = model.num_lanes or LANES
    differences = Differences()
    together: Memories = ()
    alone: list[Memories] = [()] * num_lanes
    for step in range(len(windows)):
        shown = [windows[(step + lane) % len(windows)] for lane in range(num_lanes)]
        raw, together = model.run(np.stack(shown), together)
        for lane, window in enumerate(shown):
            single, alone[lane] = model.run(_alone(model, window), alone[lane])
            of_lane = RawPredictions(*(each[lane : lane + 1] for each in vars(raw).values()))
            for kind, output, value in _raw_differences(
                single, of_lane, model.description.selection, settings
            ):
                differences.see(kind, value, output, step + 1)
    fault = differences.fault(settings)
    return fault and f"a lane is computed otherwise among {num_lanes} than alone: {fault}"


def _alone(model: ExportedModel, window: Window) -> Integer[np.ndarray, "B C H W"]:
    """A window for one lane, or for all of them where the file has a fixed number."""
    return np.repeat(window[None], model.num_lanes or 1, axis=0)


def _as_raw(found: WindowPredictions) -> RawPredictions:
    return RawPredictions(
        found.boxes_xyxy.numpy(), found.objectness.numpy(), found.class_scores.numpy()
    )
