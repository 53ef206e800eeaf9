"""Self-describing checkpoints: a file contains everything needed to build its detector."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.core.files import is_whole_archive, written_whole
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.rvt_format import (
    is_rvt_state_dict,
    load_tensors,
    read_rvt,
    unwrapped,
    weights_in,
)
from etram_pipeline.models.validated import CALIBRATION_KEY, SCORES_KEY, payload_of_validation
from etram_pipeline.streaming.model_file import is_onnx

SettingsT = TypeVar("SettingsT", bound=Settings)

PAYLOAD_KEY = "etram"
"""Where a checkpoint file, Lightning's or ours, keeps `checkpoint_payload`."""

WEIGHT_PREFIX = "detector."
"""What precedes the detector's own names of its weights under `state_dict`."""

EXPORTED_SUFFIX = ".onnx"

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A detector and where it comes from.

    Attributes:
        detector: The detector with its weights.
        detector_config: Settings it was built from; None for an exported detector of a kind that is
            not known here.
        in_channels: Channels of the representation it reads.
        class_names: Classes it distinguishes, in the order of their ids; empty if not known.
        num_classes: Number of these, known even without names.
        encoding: Settings of the representations it was trained on; None if not known.
        downsampled_by: How much smaller than the sensor these are; None if not known.
        dataset_fingerprint: Identifies the data it was trained on; empty if not known.
        mlflow_run_id: The run that trained it; empty if it was not logged.
        operating_scores: Scores that were best in the validation recordings; None if not known.
        calibration: Scaling of scores fitted in the validation recordings; None if not known.
    """

    detector: Detector
    detector_config: DetectorConfig | None
    in_channels: int
    class_names: tuple[str, ...] = ()
    num_classes: int = 0
    encoding: EncodingSettings | None = None
    downsampled_by: int | None = None
    dataset_fingerprint: str = ""
    mlflow_run_id: str = ""
    operating_scores: OperatingScores | None = None
    calibration: Calibration | None = None

    def names_of_class_weights(self) -> set[str]:
        """Names of the weights whose shape depends on the number of classes."""
        other = self._rebuilt(self.num_classes + 1)
        shapes = {name: tensor.shape for name, tensor in other.state_dict().items()}
        own = self.detector.state_dict()
        return {name for name, tensor in own.items() if shapes.get(name) != tensor.shape}

    def num_parameters(self) -> int | None:
        """Number of parameters, also of an exported detector; None if it is not known."""
        exists = next(self.detector.parameters(), None) is not None
        if not exists and self.detector_config is None:
            return None
        detector = self.detector if exists else self._rebuilt(self.num_classes)
        return sum(parameter.numel() for parameter in detector.parameters())

    def known_config(self) -> DetectorConfig:
        """The settings it was built from.

        Raises:
            CheckpointError: If they are not known.
        """
        if self.detector_config is None:
            raise CheckpointError(
                "the settings of this exported detector are not known to this version of the "
                "project, or to the packages installed beside it: use the checkpoint that it was "
                "exported from"
            )
        return self.detector_config

    def _rebuilt(self, num_classes: int) -> Detector:
        with torch.random.fork_rng(devices=[]):
            return self.known_config().build(self.in_channels, num_classes)


def checkpoint_payload(checkpoint: Checkpoint) -> dict[str, Any]:
    """Description of a detector in a checkpoint file, as plain data, without the weights."""
    return {
        "format": FORMAT,
        "detector": checkpoint.known_config().model_dump(mode="json", serialize_as_any=True),
        "in_channels": checkpoint.in_channels,
        "class_names": list(checkpoint.class_names),
        "representation": None
        if checkpoint.encoding is None
        else checkpoint.encoding.as_plain_data(),
        "downsampled_by": checkpoint.downsampled_by,
        "dataset_fingerprint": checkpoint.dataset_fingerprint,
        "mlflow_run_id": checkpoint.mlflow_run_id,
    } | payload_of_validation(checkpoint.operating_scores, checkpoint.calibration)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint without the state of any training."""
    weights = {
        WEIGHT_PREFIX + name: tensor for name, tensor in checkpoint.detector.state_dict().items()
    }
    content = {PAYLOAD_KEY: checkpoint_payload(checkpoint), "state_dict": weights}
    with written_whole(path) as partial:
        torch.save(content, partial)


def read_checkpoint(path: Path, *, partition_split: int | None = None) -> Checkpoint:
    """The detector of a checkpoint, on the CPU and in evaluation mode, and where it comes from.

    Reads checkpoints of this project, exported detectors (ONNX files, whatever they are called) and
    Lightning checkpoints of RVT and its eTraM forks, whose architecture is inferred from their
    tensors. Weight names may have the prefixes that wrappers such as `DataParallel` and
    `torch.compile` add.

    Args:
        path: The file.
        partition_split: For checkpoints of RVT: number of windows along each side of the coarsest
            map, which tensors do not determine; None: as `infer_architecture` assumes.

    Raises:
        CheckpointError: If the file is missing, damaged or holds something else.
    """
    if reads_as_exported(path):
        return _read_exported(path)
    content = load_tensors(path)
    if PAYLOAD_KEY in content:
        check_whole(path)
    try:
        found = _read(content, partition_split)
        _check_numbers(found.detector)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return found


def reads_as_exported(path: Path) -> bool:
    """Whether a file is, or claims to be, an exported detector."""
    return is_onnx(path) or (path.suffix == EXPORTED_SUFFIX and not zipfile.is_zipfile(path))


def is_checkpoint(content: Mapping[Any, Any]) -> bool:
    """Whether a file with this content is for `read_checkpoint`."""
    return PAYLOAD_KEY in content or is_rvt_state_dict(weights_in(content))


def check_whole(path: Path) -> None:
    """Check that a checkpoint of this project has not changed since it was written.

    Raises:
        CheckpointError: If checksums do not fit.
    """
    if not is_whole_archive(path):
        raise CheckpointError(
            f"{path} is damaged: its checksums do not fit; fetch it again, or train again"
        )


def _read(content: Mapping[Any, Any], partition_split: int | None) -> Checkpoint:
    weights = weights_in(content)
    if PAYLOAD_KEY in content:
        _check_format(content[PAYLOAD_KEY])
        return _read_own(content[PAYLOAD_KEY], weights)
    if is_rvt_state_dict(weights):
        return _read_rvt(unwrapped(weights), partition_split)
    found = ", ".join(sorted(map(str, content))[:8]) or "nothing"
    raise CheckpointError(
        f"neither a checkpoint of this project nor one of RVT or its eTraM fork; it holds {found}"
    )


def _read_own(payload: Any, weights: Any) -> Checkpoint:  # noqa: ANN401, read from a file
    try:
        config = DetectorConfig.model_validate(payload["detector"])
        detector = config.build(payload["in_channels"], len(payload["class_names"]))
        detector.load_state_dict(unwrapped(weights, WEIGHT_PREFIX.removesuffix(".")))
    except ValidationError as error:
        raise CheckpointError(
            "the detector's settings are not known to this version of the project, or to the "
            "packages installed beside it: " + "; ".join(describe_errors(error, "detector"))
        ) from error
    except CheckpointError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"the description of the detector is damaged: {error!r}") from error
    except RuntimeError as error:
        raise CheckpointError(f"the weights do not fit the detector: {error}") from error
    return Checkpoint(
        detector=detector.eval(),
        detector_config=config,
        in_channels=payload["in_channels"],
        class_names=tuple(payload["class_names"]),
        num_classes=len(payload["class_names"]),
        encoding=_read_settings(
            EncodingSettings,
            payload.get("representation"),
            "the settings of the representations it was trained on",
        ),
        downsampled_by=payload.get("downsampled_by"),
        dataset_fingerprint=payload.get("dataset_fingerprint", ""),
        mlflow_run_id=payload.get("mlflow_run_id", ""),
        operating_scores=_read_settings(
            OperatingScores, payload.get(SCORES_KEY), "its operating scores"
        ),
        calibration=_read_settings(
            Calibration, payload.get(CALIBRATION_KEY), "the settings of its calibration"
        ),
    )


def _read_settings(
    of_type: type[SettingsT],
    plain: Any,  # noqa: ANN401, read from a file
    what: str,
) -> SettingsT | None:
    """Settings that a checkpoint may hold; None if it has none."""
    try:
        return None if plain is None else of_type.model_validate(plain)
    except ValidationError as error:
        raise CheckpointError(
            f"{what} are not known to this version of the project: "
            + "; ".join(describe_errors(error))
        ) from error


def _read_exported(path: Path) -> Checkpoint:
    from etram_pipeline.models.exported import ExportedDetector

    detector = ExportedDetector(path)
    about = detector.description
    return Checkpoint(
        detector=detector.eval(),
        detector_config=detector.config,
        in_channels=about.frames.channels,
        class_names=about.class_names,
        num_classes=len(about.class_names),
        encoding=about.encoding,
        downsampled_by=about.downsampled_by,
        dataset_fingerprint=about.dataset_fingerprint,
        mlflow_run_id=about.mlflow_run_id,
        operating_scores=about.operating_scores,
    )


def _check_format(payload: Any) -> None:  # noqa: ANN401, read from a file
    found = payload.get("format") if isinstance(payload, Mapping) else None
    if isinstance(found, int) and found > FORMAT:
        raise CheckpointError(
            f"its format {found} is newer than this version of the project, which reads up to "
            f"{FORMAT}; update the project"
        )


def _read_rvt(weights: Mapping[Any, Any], partition_split: int | None) -> Checkpoint:
    detector, found = read_rvt(unwrapped(weights), partition_split=partition_split)
    return Checkpoint(
        detector=detector,
        detector_config=found.config,
        in_channels=found.in_channels,
        num_classes=found.num_classes,
    )


def _check_numbers(detector: Detector) -> None:
    broken = [name for name, weight in detector.state_dict().items() if not weight.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"{len(broken)} weights hold values that are not numbers, {broken[0]} among them: the "
            "training diverged; train again with a lower learning rate, or take another checkpoint"
        )
