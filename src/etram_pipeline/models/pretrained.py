"""Weights of other programs, from which training can start.

Their names and shapes are those of the library that made them. `Detector.translate_weights` gives
them the names of the detector. This module does what all families share: it reads the files and
selects the weights that fit.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.rvt_format import load_tensors, unwrapped, weights_in

RGB = 3
"""Input channels of networks that were trained on photographs."""

_NUM_SHOWN = 3


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a file of PyTorch or safetensors, by their names.

    Nothing in the file is executed.

    Raises:
        CheckpointError: If the file is missing, damaged, or in another format.
    """
    if path.suffix == ".pkl":
        raise CheckpointError(
            f"{path} is a pickle file, as Detectron2 writes them, whose weights are for another "
            "order of colours and other strides: use weights of torchvision (.pth) instead"
        )
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return unwrapped(weights_in(load_tensors(path)))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a safetensors file ({error}): fetch it again"
        ) from error
    return weights


def fitting_weights(detector: Detector, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights whose names and shapes fit a detector, under its names.

    The filters of a first convolution that reads three colours are spread over all channels of the
    detector: each channel gets their mean, scaled so that an image with equal channels gives the
    same output as a grey photograph.

    Args:
        detector: The detector to load them into.
        found: Weights by their names in a file.
    """
    own = detector.state_dict()
    named = {
        name: _spread(tensor, own[name])
        for name, tensor in detector.translate_weights(found).items()
        if name in own
    }
    return of_same_shape(named, own)


def of_same_shape(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that a detector with the weights `own` has too, in the same shape."""
    return {
        name: tensor
        for name, tensor in found.items()
        if name in own and own[name].shape == tensor.shape
    }


def _spread(weight: Tensor, own: Tensor) -> Tensor:
    """Filters of a first convolution for as many channels as `own` has; others as they are."""
    is_stem = weight.ndim == own.ndim == 4 and weight.shape[1] == RGB  # noqa: PLR2004
    if not is_stem or weight.shape[0::2] != own.shape[0::2] or own.shape[1] == RGB:
        return weight
    return weight.mean(1, keepdim=True).expand_as(own) * (RGB / own.shape[1])


def check_any_fits(
    fitting: Mapping[str, Tensor], found: Mapping[str, Tensor], detector: Detector, path: Path
) -> None:
    """Check that a file has at least one weight for the detector.

    Raises:
        CheckpointError: If it has none.
    """
    if not fitting:
        raise CheckpointError(
            f"{path} is neither a checkpoint of this project nor one of RVT, and no weight in it "
            f"fits {type(detector).__name__}: it has {_first(found)}; the detector has "
            f"{_first(detector.state_dict())}"
        )


def describe_missing(detector: Detector, fitting: Mapping[str, Tensor]) -> str:
    """Which parameters and statistics of a detector a file does not provide.

    The list is complete: a part of the detector without any weight in the file is one prefix.
    """
    own = {name for name, tensor in detector.state_dict().items() if tensor.is_floating_point()}
    missing = own - fitting.keys()
    if not missing:
        return "all weights were found"
    found = {prefix for name in fitting for prefix in _prefixes(name)}
    parts = {next(each for each in _prefixes(name) if each not in found) for name in missing}
    return f"{len(missing)} weights keep their initial values: {', '.join(sorted(parts))}"


def _prefixes(name: str) -> list[str]:
    """The parts that a weight belongs to, largest first, and its name."""
    dots = [place for place, character in enumerate(name, start=1) if character == "."]
    return [*(name[:place] for place in dots), name]


def _first(names: Mapping[str, Tensor]) -> str:
    more = len(names) - _NUM_SHOWN
    shown = ", ".join(list(names)[:_NUM_SHOWN]) or "no weights"
    return f"{shown} and {more} more" if more > 0 else shown
