"""Weights that a training starts from instead of random ones."""

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.checkpoint import (
    Checkpoint,
    is_checkpoint,
    read_checkpoint,
    reads_as_exported,
)
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.pretrained import (
    check_any_fits,
    describe_missing,
    fitting_weights,
    of_same_shape,
    read_weights,
)
from etram_pipeline.models.rvt_format import load_tensors

logger = logging.getLogger(__name__)


def take_weights(made: Checkpoint, path: Path, frozen: tuple[str, ...] = ()) -> None:
    """Load the weights of a file into a detector where they fit.

    Weights that depend on the classes are loaded only from a detector of the same classes.

    Args:
        made: The detector that is to be trained, and its description.
        path: A checkpoint of this project or of RVT, or weights of the library that the detector's
            family comes from.
        frozen: Prefixes of parameters that will not learn; a warning says if the file lacks some.

    Raises:
        CheckpointError: If the file cannot be read, or no weight fits.
    """
    if reads_as_checkpoint(path):
        fitting, about = _of_checkpoint(made, path)
    else:
        fitting, about = _of_library(made, path)
    detector = made.detector
    detector.load_state_dict(fitting, strict=False)
    _warn_of_random(detector, fitting, frozen)
    total = len(detector.state_dict())
    logger.info("%d of %d weights were loaded from %s; %s", len(fitting), total, path, about)


def reads_as_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of this project or of RVT.

    Raises:
        CheckpointError: If it cannot be read, or is an exported detector.
    """
    if reads_as_exported(path):
        raise CheckpointError(
            f"{path} is an exported detector, whose weights are for detecting only: start from the "
            "checkpoint that it was exported from"
        )
    return path.suffix not in {".safetensors", ".pkl"} and is_checkpoint(load_tensors(path))


def weights_of_library(detector: Detector, path: Path) -> dict[str, Tensor]:
    """The weights in a file of the library that a detector's family comes from, as they fit.

    Raises:
        CheckpointError: If the file cannot be read, or no weight fits.
    """
    found = read_weights(path)
    fitting = fitting_weights(detector, found)
    check_any_fits(fitting, found, detector, path)
    return fitting


def weights_of_checkpoint(detector: Detector, start: Checkpoint, path: Path) -> dict[str, Tensor]:
    """The weights of another detector whose names and shapes fit a detector.

    Raises:
        CheckpointError: If no weight fits.
    """
    fitting = of_same_shape(start.detector.state_dict(), detector.state_dict())
    if not fitting:
        raise CheckpointError(
            f"{path} holds a {type(start.detector).__name__}, and none of its weights fits the "
            f"{type(detector).__name__} of this run: start from a detector of the same "
            "detector.kind and the same size"
        )
    return fitting


def _of_library(made: Checkpoint, path: Path) -> tuple[dict[str, Tensor], str]:
    # Such a file does not name its classes; an equal number of them means nothing.
    of_classes = made.names_of_class_weights()
    found = weights_of_library(made.detector, path)
    fitting = {name: tensor for name, tensor in found.items() if name not in of_classes}
    return fitting, describe_missing(made.detector, fitting)


def _of_checkpoint(made: Checkpoint, path: Path) -> tuple[dict[str, Tensor], str]:
    start = read_checkpoint(path)
    fitting = weights_of_checkpoint(made.detector, start, path)
    anew = "the weights of classes are initialised anew"
    if start.class_names not in {(), made.class_names}:
        of_classes = start.names_of_class_weights()
        fitting = {name: tensor for name, tensor in fitting.items() if name not in of_classes}
        about = f"{anew}, because it has {start.class_names}"
    elif start.num_classes != made.num_classes:
        about = f"{anew}, because it has {start.num_classes} classes"
    elif not start.class_names:
        about = f"it does not name its classes, which are assumed to be {made.class_names}"
    else:
        about = "its classes are the same"
    return fitting, f"{about}; {describe_missing(made.detector, fitting)}"


def _warn_of_random(
    detector: Detector, fitting: Mapping[str, Tensor], frozen: tuple[str, ...]
) -> None:
    names = [name for name, _ in detector.named_parameters() if name.startswith(frozen)]
    random = [name for name in names if name not in fitting] if frozen else []
    if random:
        logger.warning(
            "train.freeze keeps %d of %d parameters at random values, because train.start_from "
            "does not provide them",
            len(random),
            len(names),
        )
