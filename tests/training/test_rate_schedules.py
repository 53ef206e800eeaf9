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
from etram_pipeline.training.optimizers import adamw
from etram_pipeline.training.rate_schedules import RateScheduleConfig, cosine, one_cycle, step
from etram_pipeline.training.settings import TrainSettings

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
    settings = adamw.Config()
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


# Rates of detectron2's schedule for Faster R-CNN as a share of the highest one: the warm-up reaches
# it after 1000 steps from a factor of 0.001, and it drops at steps 15 000 and 20 000 of 25 000.
# Source: facebookresearch/detectron2, detectron2/solver/lr_scheduler.py, `WarmupMultiStepLR`:
# 0.001 * (1 - step / 1000) + step / 1000, then 0.1 to the power of the drops so far.
DETECTRON2 = {
    0: 0.001,
    1: 0.001999,
    500: 0.5005,
    999: 0.999001,
    1000: 1.0,
    14_999: 1.0,
    15_000: 0.1,
    19_999: 0.1,
    20_000: 0.01,
    24_999: 0.01,
}


@pytest.mark.parametrize(("number", "share"), DETECTRON2.items())
def test_detectron2s_schedule_is_written_in_shares(number: int, share: float) -> None:
    schedule = step.Config(warmup=1001 / 25_000, start_divisor=1000, drops=(0.6, 0.8))
    assert schedule.relative_rate(number, 25_000) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize(
    ("number", "share"), {0: 0.0, 5: 0.5, 10: 1.0, 79: 1.0, 80: 0.1, 99: 0.1}.items()
)
def test_rf_detrs_steps_are_written_in_shares(number: int, share: float) -> None:
    """`warmup_epochs` 1, `lr_drop` 8 and 10 epochs of 10 steps."""
    schedule = step.Config(warmup=11 / 100, start_divisor=1e12, drops=(0.8,))
    assert schedule.relative_rate(number, 100) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("number", "share"), {500: 1.0, 2875: 0.8682, 5250: 0.55, 7625: 0.2318, 9999: 0.1}.items()
)
def test_rf_detrs_cosine_is_written_in_shares(number: int, share: float) -> None:
    """`warmup_epochs` 0.5 and `lr_min_factor` 0.1 in 10 epochs of 1000 steps.

    0.1 + 0.9 * (1 + cos(pi * (step - 500) / 9500)) / 2
    """
    schedule = cosine.Config(warmup=501 / 10_000, start_divisor=1e12, end_divisor=10)
    assert schedule.relative_rate(number, 10_000) == pytest.approx(share, abs=2e-4)


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
        TrainSettings(optimizer=adamw.Config(schedule=config(kind, **changes))).outcome()
        for changes in ({}, {}, {field: 0.5 if field == "factor" else 2.0})
    ]
    assert outcomes[0] == outcomes[1] != outcomes[2]


@pytest.mark.parametrize("drops", [(0.85, 0.6), (0.5, 0.5), (0.001, 0.5), (0.5, 1.0)])
def test_drops_out_of_order_or_outside_the_training_are_refused(drops: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"drops must rise from .* 0\.005, to less than 1, not"):
        step.Config(drops=drops)
