"""Reads the description of a detector from its checkpoint, without building it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etram_pipeline.models.detectors import DetectorConfig

if TYPE_CHECKING:
    from etram_pipeline.models.checkpoint import Checkpoint
    from etram_pipeline.models.detector import Detector
else:  # checks of runs without a detector do without torch
    Checkpoint = Detector = object


@dataclass(frozen=True)
class Trained:
    """A detector of an earlier training.

    Attributes:
        path: Its file.
        config: Settings it was built from; None for an exported detector of a kind that is not
            known here.
        in_channels: Channels of the representation it reads.
        class_names: Classes it distinguishes; empty if not known.
        made: Settings of windows and representation it was trained on; empty if not known.
        frame_size: Height and width in px of the only frames that it can read; None: any.
        is_calibrated: Whether it has a scaling of its scores.
    """

    path: Path
    config: DetectorConfig | None
    in_channels: int
    class_names: tuple[str, ...]
    made: Mapping[str, Any]
    frame_size: tuple[int, int] | None = None
    is_calibrated: bool = False

    def build(self) -> Detector:
        """A detector of this kind, not always with its weights."""
        from etram_pipeline.models.checkpoint import read_checkpoint

        if self.config is None or self.frame_size is not None:
            return read_checkpoint(self.path).detector
        return self.config.build(self.in_channels, len(self.class_names) or 1)


def describe(path: Path) -> Trained:
    """The description of a detector in its checkpoint.

    Raises:
        CheckpointError: If it is damaged or holds something else.
    """
    from etram_pipeline.models.checkpoint import (
        FORMAT,
        PAYLOAD_KEY,
        check_whole,
        read_checkpoint,
        reads_as_exported,
    )
    from etram_pipeline.models.rvt_format import load_tensors
    from etram_pipeline.models.validated import CALIBRATION_KEY

    if reads_as_exported(path):
        return _of(path, read_checkpoint(path))
    payload = load_tensors(path).get(PAYLOAD_KEY)
    if isinstance(payload, Mapping) and payload.get("format") == FORMAT:
        check_whole(path)
        try:
            return Trained(
                path,
                DetectorConfig.model_validate(payload["detector"]),
                payload["in_channels"],
                tuple(payload["class_names"]),
                payload.get("representation") or {},
                is_calibrated=payload.get(CALIBRATION_KEY) is not None,
            )
        except (LookupError, TypeError, ValueError):
            pass  # reading the whole file finds out what is wrong
    return _of(path, read_checkpoint(path))


def _of(path: Path, read: Checkpoint) -> Trained:
    made = {} if read.encoding is None else read.encoding.as_plain_data()
    return Trained(
        path,
        read.detector_config,
        read.in_channels,
        read.class_names,
        made,
        read.detector.frame_size,
        read.calibration is not None,
    )
