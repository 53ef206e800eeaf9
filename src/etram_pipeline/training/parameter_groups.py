"""Parameters with the learning rate and weight decay that the settings give them."""

from collections.abc import Collection, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.training.optimizers import OptimizerConfig

_SETTING = "train.optimizer.groups"
_PREFIX = "prefix"
"""Key of PyTorch's groups for the prefix in the settings; missing where no prefix applies."""


def parameter_groups(module: nn.Module, settings: OptimizerConfig) -> list[dict[str, Any]]:
    """Groups of the parameters that learn, as PyTorch's optimizers take them.

    The first group holds parameters that no prefix fits, and may be empty.

    Raises:
        SettingsError: If a prefix fits no parameter, or parameter names do not give the layer.
    """
    names = [name for name, _ in module.named_parameters()]
    check_prefixes(_SETTING, settings.groups, names)
    factors = _layer_factors(names, settings)
    members: dict[tuple[str, float, float], list[nn.Parameter]] = {
        ("", settings.learning_rate, settings.weight_decay): []
    }
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            prefix = _prefix_of(name, settings)
            rate = settings.learning_rate * factors.get(name, 1.0)
            key = prefix, rate, _weight_decay(parameter, prefix, settings)
            members.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay} | _named(prefix)
        for (prefix, rate, decay), parameters in members.items()
    ]


def learning_rates(optimizer: Optimizer) -> dict[str, float]:
    """Current rates: `learning_rate`, and `learning_rate/<prefix>` of the top layer of a prefix."""
    rates: dict[str, float] = {}
    for group in optimizer.param_groups:
        name = f"learning_rate/{group[_PREFIX]}" if _PREFIX in group else "learning_rate"
        rates[name] = max(group["lr"], rates.get(name, 0.0))
    return rates


def check_prefixes(setting: str, prefixes: Collection[str], names: Sequence[str]) -> None:
    """Refuse prefixes that fit none of the names.

    Args:
        setting: The setting that lists the prefixes.
        prefixes: The prefixes.
        names: Names of all parameters.

    Raises:
        SettingsError: If a prefix fits no parameter.
    """
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            roots = sorted({name.split(".")[0] for name in names})
            raise SettingsError(
                f"{setting}: no parameter starts with '{prefix}'; they start with {roots}"
            )


def _named(prefix: str) -> dict[str, str]:
    return {_PREFIX: prefix} if prefix else {}


def _prefix_of(name: str, settings: OptimizerConfig) -> str:
    return max(filter(name.startswith, settings.groups), key=len, default="")


def _weight_decay(parameter: nn.Parameter, prefix: str, settings: OptimizerConfig) -> float:
    group = settings.groups.get(prefix)
    decay = None if group is None else group.weight_decay
    vectors = None if group is None else group.decay_vectors
    if parameter.ndim <= 1 and not (settings.decay_vectors if vectors is None else vectors):
        return 0.0
    return settings.weight_decay if decay is None else decay


def _layer_factors(names: Sequence[str], settings: OptimizerConfig) -> dict[str, float]:
    """Factor of the learning rate of each parameter that a prefix fits."""
    factors: dict[str, float] = {}
    for prefix, group in settings.groups.items():
        own = [name for name in names if _prefix_of(name, settings) == prefix]
        depths = _depths(prefix, own) if group.layer_decay < 1 else [0] * len(own)
        for name, depth in zip(own, depths, strict=True):
            factors[name] = group.rate * group.layer_decay**depth
    return factors


def _depths(prefix: str, names: Sequence[str]) -> list[int]:
    """Layers from the top to each parameter: 1 for the last layer, 0 for what follows it.

    Source: Bao et al., "BEiT: BERT Pre-Training of Image Transformers", ICLR 2022; microsoft/unilm,
    beit/optim_factory.py, `LayerDecayValueAssigner`.
    """
    found = [_numbered(name.removeprefix(prefix)) for name in names]
    lists = sorted({each[0] for each in found if each is not None})
    if len(lists) != 1:
        what = f"the layers of several lists: {lists}" if lists else "no number of a layer"
        raise SettingsError(
            f"{_SETTING}: names below '{prefix}' have {what}; layer_decay needs a prefix with "
            "one list of layers, such as 'backbone.stages.0.weight' below 'backbone.'"
        )
    num_layers = 1 + max(each[1] for each in found if each is not None)
    first = next(place for place, each in enumerate(found) if each is not None)
    return [
        num_layers - each[1] if each is not None else (num_layers + 1 if place < first else 0)
        for place, each in enumerate(found)
    ]


def _numbered(name: str) -> tuple[str, int] | None:
    """Name of a list of layers and number of the layer; None without a number."""
    parts = name.split(".")
    place = next((place for place, part in enumerate(parts) if part.isdigit()), None)
    return None if place is None else (".".join(parts[:place]), int(parts[place]))
