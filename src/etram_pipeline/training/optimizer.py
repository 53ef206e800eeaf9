"""Optimizer and learning rate from settings."""

from functools import partial

import numpy as np
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from etram_pipeline.training.settings import OptimizerSettings


def build_optimizer(
    module: nn.Module, settings: OptimizerSettings, max_steps: int
) -> tuple[AdamW, LambdaLR]:
    """Optimizer of everything in `module` that learns, and its schedule over `max_steps` steps."""
    optimizer = AdamW(
        [parameter for parameter in module.parameters() if parameter.requires_grad],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    return optimizer, LambdaLR(optimizer, partial(relative_rate, settings, max_steps))


def relative_rate(settings: OptimizerSettings, max_steps: int, step: int) -> float:
    """Learning rate of a step, as a share of the highest one.

    The steps are those of PyTorch's `OneCycleLR(anneal_strategy="linear")`, which the reference
    uses; beyond the last step the rate stays as it is there.
    """
    peak = max(settings.warmup * max_steps - 1, 0.0)
    start, end = 1 / settings.start_divisor, 1 / settings.end_divisor
    if step < peak:
        return float(np.interp(step, [0, peak], [start, 1.0]))
    return float(np.interp(step, [peak, max(max_steps - 1, peak + 1)], [1.0, end]))


def freeze(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Stop parameters whose names start with one of `prefixes` from learning.

    Raises:
        ValueError: If a prefix fits no parameter, or nothing is left to learn.
    """
    names = [name for name, _ in module.named_parameters()]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            roots = sorted({name.split(".")[0] for name in names})
            raise ValueError(f"freeze: no parameter starts with '{prefix}'; there are {roots}")
    for name, parameter in module.named_parameters():
        if name.startswith(prefixes):
            parameter.requires_grad = False
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ValueError(f"freeze: {list(prefixes)} leave no parameter to learn")


def hold_statistics(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Keep frozen layers in evaluation mode, so that batch statistics stay as they are too."""
    for name, child in module.named_modules():
        if name and f"{name}.".startswith(tuple(f"{prefix.rstrip('.')}." for prefix in prefixes)):
            child.eval()
