"""Optimizer and learning rate from settings."""

from functools import partial

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.training.settings import OptimizerSettings


def build_optimizer(
    module: nn.Module, settings: OptimizerSettings, max_steps: int
) -> tuple[AdamW, LambdaLR]:
    """Optimizer of everything in `module` that learns, and its schedule over `max_steps` steps."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = AdamW(
        learning,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        # On a CPU one call for all parameters takes a third of the time of one for each.
        fused=all(parameter.device.type == "cpu" for parameter in learning) or None,
    )
    # Lightning refuses to clip gradients in mixed precision if the optimizer can unscale them
    # itself. Here it never does: Lightning unscales them before it clips them. Neither PyTorch nor
    # Lightning offers a public switch.
    optimizer._step_supports_amp_scaling = False
    rate = partial(settings.schedule.relative_rate, num_steps=max_steps)
    return optimizer, LambdaLR(optimizer, rate)


def freeze(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Stop parameters whose names start with one of `prefixes` from learning.

    Raises:
        SettingsError: If a prefix fits no parameter, or nothing is left to learn.
    """
    names = [name for name, _ in module.named_parameters()]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            roots = sorted({name.split(".")[0] for name in names})
            raise SettingsError(
                f"train.freeze: no parameter starts with '{prefix}'; they start with {roots}"
            )
    for name, parameter in module.named_parameters():
        if name.startswith(prefixes):
            parameter.requires_grad = False
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise SettingsError(f"train.freeze: {list(prefixes)} leave no parameter to learn")


def hold_statistics(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Keep frozen layers in evaluation mode, so that batch statistics stay as they are too."""
    for name, child in module.named_modules():
        if name and f"{name}.".startswith(tuple(f"{prefix.rstrip('.')}." for prefix in prefixes)):
            child.eval()
