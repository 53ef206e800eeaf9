"""Learning rates against the reference's and PyTorch's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from etram_pipeline.core.component import kinds
from etram_pipeline.training import rate_schedules
from etram_pipeline.training.rate_schedules import RateScheduleConfig, cosine, one_cycle, step
from etram_pipeline.training.settings import OptimizerSettings, TrainSettings

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
KINDS = kinds(rate_schedules.__name__)


def config(kind: str, **changes: object) -> RateScheduleConfig:
    return RateScheduleConfig.model_validate({"kind": kind, **changes})


def ours(schedule: RateScheduleConfig, num_steps: int) -> list[float]:
    return [schedule.relative_rate(number, num_steps) for number in range(num_steps)]


def optimizer() -> Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)


def pytorchs(scheduler: LRScheduler, num_steps: int) -> list[float]:
    rates = [float(scheduler.optimizer.param_groups[0]["lr"])]
    for _ in range(num_steps - 1):
        scheduler.optimizer.step()
        scheduler.step()
        rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
    return rates


def warmed_up(after: LRScheduler, peak: int) -> LRScheduler:
    warmup = LinearLR(after.optimizer, start_factor=1 / 20, total_iters=peak)
    return SequentialLR(after.optimizer, [warmup, after], milestones=[peak])


@pytest.mark.parametrize(("number", "rate"), REFERENCE.items())
def test_the_default_learning_rate_is_the_references(number: int, rate: float) -> None:
    settings = OptimizerSettings()
    found = settings.learning_rate * settings.schedule.relative_rate(number, 400_000)
    assert found == pytest.approx(rate, rel=1e-11)


@pytest.mark.parametrize(("warmup", "num_steps"), [(0.3, 40), (0.1, 400), (0.5, 20)])
def test_one_cycle_is_pytorchs(warmup: float, num_steps: int) -> None:
    theirs = OneCycleLR(
        optimizer(),
        max_lr=1.0,
        total_steps=num_steps,
        pct_start=warmup,
        anneal_strategy="linear",
        div_factor=20,
        final_div_factor=500,
        cycle_momentum=False,
    )
    rates = ours(one_cycle.Config(warmup=warmup), num_steps)
    assert rates == pytest.approx(pytorchs(theirs, num_steps), rel=1e-9)


@pytest.mark.parametrize("end_divisor", [50.0, 10_000.0])
def test_cosine_is_pytorchs(end_divisor: float) -> None:
    theirs = warmed_up(CosineAnnealingLR(optimizer(), T_max=30, eta_min=1 / end_divisor), peak=9)
    rates = ours(cosine.Config(warmup=0.25, end_divisor=end_divisor), num_steps=40)
    assert rates == pytest.approx(pytorchs(theirs, 40), rel=1e-9)


def test_steps_are_pytorchs() -> None:
    theirs = warmed_up(MultiStepLR(optimizer(), milestones=[24 - 9, 34 - 9], gamma=0.3), peak=9)
    rates = ours(step.Config(warmup=0.25, drops=(0.6, 0.85), factor=0.3), num_steps=40)
    assert rates == pytest.approx(pytorchs(theirs, 40), rel=1e-9)


def test_without_drops_the_rate_stays_the_highest() -> None:
    assert ours(step.Config(warmup=0.5, drops=()), 8)[3:] == [1.0] * 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_schedule_rises_in_a_line_to_the_highest_rate(kind: str) -> None:
    rates = ours(config(kind, warmup=0.5, start_divisor=10), 100)
    assert np.diff(rates[:50]) == pytest.approx([0.9 / 49] * 49)
    assert rates[0] == pytest.approx(0.1)
    assert rates[49] == max(rates) == 1
    assert (np.diff(rates[49:]) <= 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("warmup", "num_steps"), [(0.0, 5), (0.005, 5), (0.5, 5), (0.1, 1)])
def test_short_trainings_have_a_learning_rate_too(kind: str, warmup: float, num_steps: int) -> None:
    rates = ours(config(kind, warmup=warmup), num_steps)
    assert all(0 < rate <= 1 for rate in rates)


@pytest.mark.parametrize("kind", KINDS)
def test_beyond_the_last_step_the_rate_stays(kind: str) -> None:
    schedule = config(kind)
    assert schedule.relative_rate(99, 100) == schedule.relative_rate(500, 100)


@pytest.mark.parametrize(
    ("kind", "field"), [("one_cycle", "end_divisor"), ("cosine", "end_divisor"), ("step", "factor")]
)
def test_what_only_one_schedule_has_decides_the_result_too(kind: str, field: str) -> None:
    outcomes = [
        TrainSettings(optimizer=OptimizerSettings(schedule=config(kind, **changes))).outcome()
        for changes in ({}, {}, {field: 0.5 if field == "factor" else 2.0})
    ]
    assert outcomes[0] == outcomes[1] != outcomes[2]


@pytest.mark.parametrize("drops", [(0.85, 0.6), (0.5, 0.5), (0.001, 0.5), (0.5, 1.0)])
def test_drops_out_of_order_or_outside_the_training_are_refused(drops: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"drops must rise from .* 0\.005, to less than 1, not"):
        step.Config(drops=drops)
