"""Which rate and weight decay each parameter gets."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from etram_pipeline.core.component import kinds
from etram_pipeline.training import optimizers
from etram_pipeline.training.optimizer import build_optimizer, freeze
from etram_pipeline.training.optimizers import OptimizerConfig, adamw, sgd
from etram_pipeline.training.parameter_groups import learning_rates, parameter_groups
from etram_pipeline.training.rate_schedules import step

KINDS = kinds(optimizers.__name__)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)


class Encoder(nn.Module):
    """Embeddings, three layers and what follows them, as in vision transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Linear(2, 2)
        self.layer = nn.ModuleList([Layer() for _ in range(3)])
        self.layernorm = nn.LayerNorm(2)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = Encoder()
        self.decoder = nn.Linear(2, 2)


def config(**changes: object) -> OptimizerConfig:
    return OptimizerConfig.model_validate({"learning_rate": 0.1, "weight_decay": 0.01, **changes})


def values(module: nn.Module, settings: OptimizerConfig, key: str) -> dict[str, float]:
    """Rate or weight decay of each parameter that an optimizer has."""
    groups: list[dict[str, Any]] = parameter_groups(module, settings)
    of = {id(parameter): group[key] for group in groups for parameter in group["params"]}
    assert len(of) == sum(len(group["params"]) for group in groups)
    return {name: of[id(each)] for name, each in module.named_parameters() if id(each) in of}


def test_without_groups_all_parameters_are_in_one() -> None:
    module = Network()
    (group,) = parameter_groups(module, config())
    assert group == {"params": list(module.parameters()), "lr": 0.1, "weight_decay": 0.01}


def test_the_longest_prefix_decides() -> None:
    settings = config(
        groups={"backbone.": {"rate": 0.5}, "backbone.layer.2": {"rate": 2, "weight_decay": 0}}
    )
    rates = values(Network(), settings, "lr")
    assert rates["decoder.weight"] == 0.1
    assert rates["backbone.layer.1.linear.weight"] == 0.05
    assert rates["backbone.layer.2.linear.weight"] == 0.2
    decays = values(Network(), settings, "weight_decay")
    assert decays["backbone.layer.1.linear.weight"] == 0.01
    assert decays["backbone.layer.2.linear.weight"] == 0


def test_rates_of_rf_detr_are_written_by_groups() -> None:
    """`lr` 1e-4, `lr_encoder` 1.5e-4, layer decay 0.8 and component decay 0.7 for three layers.

    Source: roboflow/rf-detr, rfdetr/models/backbone/backbone.py, `get_dinov2_lr_decay_rate` and
    `get_named_param_lr_pairs`; rfdetr/training/param_groups.py.
    """
    groups = {"backbone.": {"rate": 1.5 * 0.7**2, "layer_decay": 0.8}, "decoder": {"rate": 0.7}}
    rates = values(Network(), config(learning_rate=1e-4, groups=groups), "lr")
    top = 1.5e-4 * 0.49
    for prefix, rate in {
        "backbone.embeddings.": top * 0.4096,
        "backbone.layer.0.": top * 0.512,
        "backbone.layer.1.": top * 0.64,
        "backbone.layer.2.": top * 0.8,
        "backbone.layernorm.": top,
        "decoder.": 0.7e-4,
    }.items():
        found = [value for name, value in rates.items() if name.startswith(prefix)]
        assert found == pytest.approx([rate] * len(found))
        assert found


def test_weight_decay_can_leave_out_biases_and_norms() -> None:
    everywhere = values(Network(), config(decay_vectors=False), "weight_decay")
    assert everywhere["decoder.weight"] == everywhere["backbone.layer.0.linear.weight"] == 0.01
    assert everywhere["decoder.bias"] == everywhere["backbone.layernorm.weight"] == 0
    below = values(Network(), config(groups={"backbone": {"decay_vectors": False}}), "weight_decay")
    assert below["decoder.bias"] == 0.01
    assert below["backbone.layernorm.weight"] == 0


def test_frozen_parameters_are_in_no_group() -> None:
    module = Network()
    freeze(module, ("backbone.layer.", "decoder.bias"))
    rates = values(module, config(groups={"backbone.": {"layer_decay": 0.5}}), "lr")
    assert set(rates) == {
        "backbone.embeddings.weight",
        "backbone.embeddings.bias",
        "backbone.layernorm.weight",
        "backbone.layernorm.bias",
        "decoder.weight",
    }
    assert rates["backbone.embeddings.weight"] == 0.1 * 0.5**4


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"neck": {}}, r"no parameter starts with 'neck'; they start with \['backbone', 'decoder"),
        ({"decoder": {"layer_decay": 0.5}}, "names below 'decoder' have no number of a layer"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups: object, told: str) -> None:
    with pytest.raises(ValueError, match=rf"train\.optimizer\.groups: {told}"):
        parameter_groups(Network(), config(groups=groups))


def test_layers_of_two_lists_are_refused_and_told_apart_by_prefixes() -> None:
    module = nn.ModuleDict({"left": nn.ModuleList([Layer()]), "right": nn.ModuleList([Layer()])})
    both = nn.ModuleDict({"side": module})
    decay = {"layer_decay": 0.5}
    with pytest.raises(ValueError, match=r"have the layers of several lists: \['left', 'right'\]"):
        parameter_groups(both, config(groups={"side.": decay}))
    rates = values(both, config(groups={"side.": decay, "side.right": {}}), "lr")
    assert set(rates.values()) == {0.05, 0.1}


@pytest.mark.parametrize("kind", KINDS)
def test_all_rates_follow_the_schedule_and_are_told_by_prefix(kind: str) -> None:
    schedule = step.Config(warmup=0, drops=(0.5,), factor=0.1)
    groups = {"backbone.": {"rate": 0.5, "layer_decay": 0.8}, "decoder": {"rate": 3}}
    settings = config(kind=kind, schedule=schedule, groups=groups)
    optimizer, scheduler = build_optimizer(Network(), settings, 2)
    before = learning_rates(optimizer)
    optimizer.step()
    scheduler.step()
    after = learning_rates(optimizer)
    assert before == pytest.approx(
        {"learning_rate": 0.1, "learning_rate/backbone.": 0.05, "learning_rate/decoder": 0.3}
    )
    assert after == pytest.approx({name: rate / 10 for name, rate in before.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_lightning_unscales_gradients_for_every_optimizer(kind: str) -> None:
    optimizer, _ = build_optimizer(Network(), config(kind=kind), 2)
    assert not optimizer._step_supports_amp_scaling  # type: ignore[attr-defined]


def test_without_a_kind_the_optimizer_is_adamw() -> None:
    settings = config()
    assert isinstance(settings, adamw.Config)
    assert settings == config(kind="adamw")
    assert not {"kind", "groups", "decay_vectors"} & set(settings.model_dump())
    assert OptimizerConfig.model_validate_json(settings.model_dump_json()) == settings
    assert isinstance(build_optimizer(Network(), settings, 2)[0], AdamW)


def test_another_kind_and_groups_survive_json() -> None:
    settings = config(kind="sgd", decay_vectors=False, groups={"backbone.": {"rate": 0.1}})
    assert OptimizerConfig.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_moves_by_the_gradient_and_its_momentum(nesterov: bool) -> None:  # noqa: FBT001
    """Weight 1, gradient 2, weight decay 0.5, rate 0.1, momentum 0.9, two steps.

    Gradients with decay: 2.5, then 2 + 0.5 * weight. Velocities: 2.5, then 0.9 * 2.5 + gradient.
    """
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    settings = sgd.Config(
        learning_rate=0.1,
        momentum=0.9,
        nesterov=nesterov,
        weight_decay=0.5,
        schedule=step.Config(warmup=0, drops=()),
    )
    optimizer, _ = build_optimizer(module, settings, 10)
    assert isinstance(optimizer, SGD)
    for _ in range(2):
        module.weight.grad = torch.full((1, 1), 2.0)
        optimizer.step()
    first = 1 - 0.1 * (2.5 + 0.9 * 2.5 if nesterov else 2.5)
    gradient = 2 + 0.5 * first
    velocity = 0.9 * 2.5 + gradient
    second = first - 0.1 * (gradient + 0.9 * velocity if nesterov else velocity)
    assert module.weight.item() == pytest.approx(second)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="nesterov needs a momentum above 0"):
        sgd.Config(momentum=0, nesterov=True)
