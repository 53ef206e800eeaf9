"""Learning rates against the reference's, and what learns."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from etram_pipeline.training.optimizer import (
    build_optimizer,
    freeze,
    hold_statistics,
    relative_rate,
)
from etram_pipeline.training.settings import OptimizerSettings

# Learning rate by step, made with the reference; golden/model/model.json, `lr_schedule_gen4`.
REFERENCE = {
    0: 1.73e-05,
    1: 1.7464432216108055e-05,
    2: 1.762886443221611e-05,
    1000: 0.00018173221610805407,
    1998: 0.00034583556778389196,
    1999: 0.000346,
    2000: 0.000345999130740201,
    2001: 0.00034599826148040203,
    100000: 0.0002608116704386935,
    200000: 0.00017388569053919598,
    399998: 3.546925979894212e-08,
    399999: 3.4599999999981e-08,
}


@pytest.mark.parametrize(("step", "rate"), REFERENCE.items())
def test_the_default_learning_rate_is_the_references(step: int, rate: float) -> None:
    settings = OptimizerSettings()
    found = settings.learning_rate * relative_rate(settings, 400_000, step)
    assert found == pytest.approx(rate, rel=1e-11)


@pytest.mark.parametrize(("warmup", "max_steps"), [(0.3, 40), (0.1, 400), (0.5, 20)])
def test_the_learning_rate_is_pytorchs_one_cycle(warmup: float, max_steps: int) -> None:
    settings = OptimizerSettings(learning_rate=0.01, warmup=warmup)
    ours, schedule = build_optimizer(nn.Linear(1, 1), settings, max_steps)
    theirs = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.01)
    one_cycle = OneCycleLR(
        theirs,
        max_lr=0.01,
        total_steps=max_steps,
        pct_start=warmup,
        anneal_strategy="linear",
        div_factor=settings.start_divisor,
        final_div_factor=settings.end_divisor / settings.start_divisor,
        cycle_momentum=False,
    )
    for _ in range(max_steps - 1):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
        for optimizer in (ours, theirs):
            optimizer.step()
        schedule.step()
        one_cycle.step()


@pytest.mark.parametrize(("warmup", "max_steps"), [(0.0, 5), (0.005, 5), (1.0, 5), (0.1, 1)])
def test_short_trainings_have_a_learning_rate_too(warmup: float, max_steps: int) -> None:
    settings = OptimizerSettings(warmup=warmup)
    rates = [relative_rate(settings, max_steps, step) for step in range(max_steps + 3)]
    assert all(0 < rate <= 1 for rate in rates)


def test_beyond_the_last_step_the_rate_stays() -> None:
    settings = OptimizerSettings()
    assert relative_rate(settings, 100, 99) == relative_rate(settings, 100, 500)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Linear(1, 1))


def test_frozen_parameters_are_left_to_no_optimizer() -> None:
    module = network()
    freeze(module, ("0", "1."))
    optimizer, _ = build_optimizer(module, OptimizerSettings(), 10)
    assert optimizer.param_groups[0]["params"] == list(module[2].parameters())


def test_frozen_layers_hold_their_statistics_and_no_others() -> None:
    module = network().train()
    hold_statistics(module, ("1",))
    assert [child.training for child in module] == [True, False, True]


def test_freezing_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="leave no parameter to learn"):
        freeze(network(), ("0", "1", "2"))
