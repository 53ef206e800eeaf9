"""Weights of RVT and its eTraM fork, in their names and in ours.

All implementations have the same tensors in the same shapes, so renaming converts in either
direction. Settings that the tensors do not determine are assumed, and logged.
"""

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.rvt_format.architecture import Architecture, infer_architecture
from etram_pipeline.models.rvt_format.names import PARTS, count_foreign, is_in, rvt_name
from etram_pipeline.models.rvt_format.wrappers import split_name, unwrapped

__all__ = [
    "from_rvt_state_dict",
    "is_rvt_state_dict",
    "read_rvt",
    "rvt_name",
    "to_rvt_state_dict",
]

logger = logging.getLogger(__name__)

_NUM_AVERAGED = "n_averaged"
"""What PyTorch's `AveragedModel` counts beside the weights."""

_OF_A_FORK = {
    "lstm": "`LightweightEnhancedConvLSTM`, of which `enhanced_lstm` here mends the flaws",
    "small_object_attention_modules": "attention behind the neck; here it is before the neck",
    "scale_aware_attention_modules": "attention behind the neck; here it is before the neck",
}
"""Modules of JeongbinOK/eTram-rvt that compute something else than their counterparts here."""


def to_rvt_state_dict(detector: rvt.RVT) -> dict[str, Tensor]:
    """The weights of `detector` under RVT's names, without RVT's Lightning prefix.

    Parts that act only in training (the loss and an auxiliary task) are left out.
    """
    return {theirs: detector.state_dict()[ours] for theirs, ours in _names(detector).items()}


def is_rvt_state_dict(names: Mapping[Any, object]) -> bool:
    """Whether the names of weights are those of RVT, whatever they are wrapped in."""
    parts = {split_name(str(name))[1].split(".")[0] for name in names}
    return {"backbone", "fpn", "yolox_head"} <= parts


def from_rvt_state_dict(weights: Mapping[str, Tensor], config: rvt.Config | None = None) -> rvt.RVT:
    """A detector with RVT's weights, in evaluation mode.

    Args:
        weights: Tensors by RVT's name, whatever that is wrapped in.
        config: Settings of the detector; inferred from the tensors if not given.

    Raises:
        CheckpointError: If the tensors do not make up a detector of kind `rvt`.
    """
    return read_rvt(weights, config=config)[0]


def read_rvt(
    weights: Mapping[str, Tensor],
    *,
    config: rvt.Config | None = None,
    partition_split: int | None = None,
) -> tuple[rvt.RVT, Architecture]:
    """A detector with RVT's weights, in evaluation mode, and the inferred architecture.

    Args:
        weights: Tensors by RVT's name, whatever that is wrapped in.
        config: Settings of the detector; inferred from the tensors if not given.
        partition_split: See `infer_architecture`.

    Raises:
        CheckpointError: If the tensors do not make up a detector of kind `rvt`.
    """
    theirs = _without_extras(unwrapped(weights))
    found = infer_architecture(theirs, partition_split)
    detector = (config or found.config).build(found.in_channels, found.num_classes)
    _check_shapes(theirs, to_rvt_state_dict(detector))
    own = detector.state_dict()
    own.update({ours: theirs[name] for name, ours in _names(detector).items()})
    try:
        detector.load_state_dict(own)
    except RuntimeError as error:  # of a layout that holds no numbers, or not one for each place
        raise CheckpointError(f"the weights do not fit the detector: {error}") from error
    logger.info("read weights of RVT: %s", found.summary)
    return detector.eval(), found


def _names(detector: rvt.RVT) -> dict[str, str]:
    """Our names by RVT's, of the weights that RVT has too."""
    num_scales = len(detector.neck_stages)
    return {
        rvt_name(name, num_scales): name
        for name in detector.state_dict()
        if name.split(".")[0] in PARTS
    }


def _without_extras(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that detect.

    Raises:
        CheckpointError: If some belong to modules that are not reproduced here.
    """
    foreign = count_foreign(weights)
    idle = {module for module in foreign if _is_idle(module)}
    unknown = {module: num for module, num in foreign.items() if module not in idle}
    if unknown:
        raise CheckpointError(
            f"the checkpoint has modules that RVT does not have: {_listed(unknown)}; without them "
            "it would detect something else, and they are not reproduced here"
        )
    if idle:
        logger.warning(
            "left out what serves training alone: %s",
            _listed({module: foreign[module] for module in idle}),
        )
    return {name: tensor for name, tensor in weights.items() if not is_in(name, idle)}


def _is_idle(module: str) -> bool:
    """Whether a module that RVT does not always have acts in training alone."""
    name = module.rsplit(".", maxsplit=1)[-1]
    return name in {"mask_token", _NUM_AVERAGED} or name.startswith("aux")


def _listed(modules: Mapping[str, int]) -> str:
    return ", ".join(_described(module, num) for module, num in sorted(modules.items()))


def _described(module: str, num_weights: int) -> str:
    known = _OF_A_FORK.get(module.rsplit(".", maxsplit=1)[-1])
    about = f", a fork's {known}" if known else ""
    return f"{module} ({num_weights} weights{about})"


def _check_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    problems = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    problems += [f"{name} is unknown" for name in found.keys() - wanted.keys()]
    problems += [
        f"{name} is {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(sorted(problems)[:5])
        raise CheckpointError(
            f"{len(problems)} weights do not fit an RVT detector of the size that the others "
            f"suggest: {shown}; variants of RVT that change its layers are not supported"
        )
