"""Optimizer and learning rate from settings, and parameters that do not learn."""

from functools import partial

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.training.optimizers import OptimizerConfig
from etram_pipeline.training.parameter_groups import check_prefixes, parameter_groups


def build_optimizer(
    module: nn.Module, settings: OptimizerConfig, max_steps: int
) -> tuple[Optimizer, LambdaLR]:
    """Optimizer of everything in `module` that learns, and its schedule over `max_steps` steps.

    Raises:
        SettingsError: If `groups` do not fit the parameters.
    """
    groups = parameter_groups(module, settings)
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    optimizer = settings.build(groups, on_cpu=devices == {"cpu"})
    # Lightning refuses to clip gradients in mixed precision if the optimizer can unscale them
    # itself. Here it never does: Lightning unscales them before it clips them. Neither PyTorch nor
    # Lightning offers a public switch.
    optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
    rate = partial(settings.schedule.relative_rate, num_steps=max_steps)
    return optimizer, LambdaLR(optimizer, rate)


def freeze(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Stop parameters whose names start with one of `prefixes` from learning.

    Raises:
        SettingsError: If a prefix fits no parameter, or nothing is left to learn.
    """
    check_prefixes("train.freeze", prefixes, [name for name, _ in module.named_parameters()])
    for name, parameter in module.named_parameters():
        if name.startswith(prefixes):
            parameter.requires_grad = False
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise SettingsError(f"train.freeze: {list(prefixes)} leave no parameter to learn")


def hold_statistics(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Keep layers that `freeze` freezes completely in evaluation mode, so their statistics stay."""
    for name, child in module.named_modules():
        if f"{name}.".startswith(prefixes):
            child.eval()
