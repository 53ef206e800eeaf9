"""Reads the description of a detector from its checkpoint, without building it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etram_pipeline.models.detectors import DetectorConfig


@dataclass(frozen=True)
class Trained:
    """A detector of an earlier training.

    Attributes:
        path: Its file.
        config: Settings it was built from.
        in_channels: Channels of the representation it reads.
        class_names: Classes it distinguishes; empty if not known.
        made: Settings of windows and representation it was trained on; empty if not known.
    """

    path: Path
    config: DetectorConfig
    in_channels: int
    class_names: tuple[str, ...]
    made: Mapping[str, Any]


def describe(path: Path) -> Trained:
    """The description of a detector in its checkpoint.

    Raises:
        CheckpointError: If it is damaged or holds something else.
    """
    from etram_pipeline.models.checkpoint import FORMAT, PAYLOAD_KEY, check_whole, read_checkpoint
    from etram_pipeline.models.rvt_format import load_tensors

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
            )
        except (LookupError, TypeError, ValueError):
            pass  # reading the whole file finds out what is wrong
    read = read_checkpoint(path)
    made = {} if read.encoding is None else read.encoding.as_plain_data()
    return Trained(path, read.detector_config, read.in_channels, read.class_names, made)
