"""The optimizer, and what learns."""

import pytest
from torch import nn

from etram_pipeline.training.optimizer import build_optimizer, freeze, hold_statistics
from etram_pipeline.training.optimizers import adamw
from etram_pipeline.training.rate_schedules import step


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Linear(1, 1))


def test_the_optimizer_follows_the_schedule() -> None:
    settings = adamw.Config(
        learning_rate=0.5, schedule=step.Config(warmup=0, drops=(0.5,), factor=0.1)
    )
    optimizer, schedule = build_optimizer(network(), settings, 4)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05])


def test_frozen_parameters_are_left_to_no_optimizer() -> None:
    module = network()
    freeze(module, ("0", "1."))
    optimizer, _ = build_optimizer(module, adamw.Config(), 10)
    assert optimizer.param_groups[0]["params"] == list(module[2].parameters())


def test_frozen_layers_hold_their_statistics_and_no_others() -> None:
    module = network().train()
    hold_statistics(module, ("1",))
    assert [child.training for child in module] == [True, False, True]


def test_whatever_a_prefix_freezes_holds_its_statistics() -> None:
    module = nn.ModuleDict(
        {name: network() for name in ("encoder", "encoder_input", "decoder")}
    ).train()
    for prefix in ("encoder", "encoder.", "enc", "encoder.1"):
        freeze(module.requires_grad_(), (prefix,))
        hold_statistics(module.train(), (prefix,))
        norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
        assert [norm.training for norm in norms] == [norm.weight.requires_grad for norm in norms]
        assert not norms[0].training


def test_freezing_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="leave no parameter to learn"):
        freeze(network(), ("0", "1", "2"))
