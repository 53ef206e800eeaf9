"""Detectors written for RVT and its fork, and read again."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from typing_extensions import override

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.cells import conv_lstm, plain_lstm
from etram_pipeline.models.cells import identity as no_memory
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint
from etram_pipeline.models.convolution import Normalisation
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.heads import yolox
from etram_pipeline.models.necks import deformable, pafpn
from etram_pipeline.models.rvt_format.export import NamingScheme, write_rvt_checkpoint


@pytest.fixture
def config(config: rvt.Config) -> rvt.Config:
    """A small detector with the attention heads that a reader takes for granted."""
    backbone = maxvit.Config(embed_dim=8, attention=AttentionSettings(dim_head=8, layer_scale=0.1))
    return config.model_copy(update={"backbone": backbone})


def made(config: rvt.Config, class_names: tuple[str, ...] = ("a", "b", "c")) -> Checkpoint:
    """A checkpoint of an untrained detector whose every weight is a number of its own."""
    detector = config.build(4, len(class_names))
    for weight in detector.state_dict().values():
        if weight.is_floating_point():
            weight.copy_(torch.randn(weight.shape).abs())
    return Checkpoint(detector.eval(), config, in_channels=4, class_names=class_names)


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    theirs = second.state_dict()
    return first.state_dict().keys() == theirs.keys() and all(
        torch.equal(weight, theirs[name]) for name, weight in first.state_dict().items()
    )


@pytest.mark.parametrize(
    ("changes", "layout"),
    [
        ({}, "rvt"),
        ({"cell": conv_lstm.Config(depthwise="hidden", kernel_size=5)}, "rvt"),
        ({"cell": conv_lstm.Config(depthwise="input_and_hidden")}, "rvt"),
        ({"neck": pafpn.Config(num_bottlenecks=3)}, "rvt"),
        ({"neck_stages": (1, 2, 3, 4)}, "fork"),
        ({"cell": plain_lstm.Config()}, "fork"),
        ({"cell": plain_lstm.Config(), "neck_stages": (1, 2, 3, 4)}, "fork"),
    ],
    ids=[
        "as it is",
        "depth-wise hidden",
        "depth-wise both",
        "bottlenecks",
        "four scales",
        "plain LSTM",
        "plain LSTM, four scales",
    ],
)
def test_detectors_come_back_to_the_bit(
    tmp_path: Path, config: rvt.Config, changes: dict[str, object], layout: NamingScheme
) -> None:
    checkpoint = made(config.model_copy(update=changes))
    write_rvt_checkpoint(tmp_path / "rvt.ckpt", checkpoint, layout)
    found = read_checkpoint(tmp_path / "rvt.ckpt")
    assert same_weights(found.detector, checkpoint.detector)
    frames = torch.rand(2, 1, 4, 64, 96)
    with torch.no_grad():
        assert torch.equal(found.detector(frames)[0], checkpoint.detector(frames)[0])


def test_plain_lstms_become_rvt_s_cell(tmp_path: Path, config: rvt.Config) -> None:
    checkpoint = made(config.model_copy(update={"cell": plain_lstm.Config()}))
    options = write_rvt_checkpoint(tmp_path / "rvt.ckpt", checkpoint)
    assert "use_plain_lstm" not in options
    found = read_checkpoint(tmp_path / "rvt.ckpt")
    assert found.detector_config is not None
    assert found.detector_config.model_dump(serialize_as_any=True)["cell"]["kind"] == "conv_lstm"
    frames = torch.rand(3, 1, 4, 64, 96)
    with torch.no_grad():
        theirs, ours = found.detector(frames)[0], checkpoint.detector(frames)[0]
    torch.testing.assert_close(theirs, ours)
    plain, conv = checkpoint.detector.state_dict(), found.detector.state_dict()
    assert plain.keys() - conv.keys() == {name for name in plain if "_transform." in name}
    for stage in range(4):
        cell = f"backbone.stages.{stage}.cell."
        admit, forget, *rest = plain[f"{cell}input_transform.bias"].chunk(4)
        assert torch.equal(conv[f"{cell}gates.bias"], torch.cat([forget, admit, *rest]))
        both = [plain[f"{cell}{name}_transform.weight"] for name in ("input", "hidden")]
        admit, forget, *rest = torch.cat(both, dim=1).chunk(4)
        assert torch.equal(conv[f"{cell}gates.weight"], torch.cat([forget, admit, *rest]))


def test_the_fork_is_told_of_its_plain_lstm(tmp_path: Path, config: rvt.Config) -> None:
    checkpoint = made(config.model_copy(update={"cell": plain_lstm.Config()}))
    options = write_rvt_checkpoint(tmp_path / "fork.ckpt", checkpoint, "fork")
    assert options.endswith("+model.backbone.use_plain_lstm=true")
    keys = torch.load(tmp_path / "fork.ckpt", weights_only=True)["state_dict"].keys()
    lstm = "mdl.backbone.stages.3.lstm."
    assert {key.removeprefix(lstm) for key in keys if key.startswith(lstm)} == {
        "input_transform.weight",
        "input_transform.bias",
        "hidden_transform.weight",
    }


class Theirs(LightningModule):
    """A module that asks for the weights that RVT asks for, under `mdl`."""

    def __init__(self, full_config: dict[str, Tensor]) -> None:
        super().__init__()
        self.mdl = nn.Module()
        for name, weight in full_config.items():
            *path, last = name.split(".")
            module = self.mdl
            for step in path:
                if step not in module._modules:
                    module.add_module(step, nn.Module())
                module = module.get_submodule(step)
            module.register_buffer(last, torch.zeros_like(weight))

    @override
    def validation_step(self, *_: Any) -> None: ...


def test_lightning_loads_it_as_rvt_s_validation_does(tmp_path: Path, config: rvt.Config) -> None:
    path = tmp_path / "rvt.ckpt"
    write_rvt_checkpoint(path, made(config))
    saved = torch.load(path, weights_only=True)["state_dict"]
    wanted = {name.removeprefix("mdl."): weight for name, weight in saved.items()}
    module = Theirs.load_from_checkpoint(path, full_config=wanted)
    assert {f"mdl.{name}" for name in module.mdl.state_dict()} == saved.keys()
    blank = Theirs(wanted)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.validate(
        blank, DataLoader(TensorDataset(torch.zeros(1))), ckpt_path=str(path), verbose=False
    )
    for name, weight in blank.mdl.state_dict().items():
        assert torch.equal(weight, wanted[name])


def test_the_options_of_rvt_are_told(tmp_path: Path, config: rvt.Config) -> None:
    changes = {
        "cell": conv_lstm.Config(depthwise="hidden", kernel_size=5),
        "neck": pafpn.Config(num_bottlenecks=2),
        "backbone": maxvit.Config(
            embed_dim=8, patch_size=2, partition_split=4, attention=AttentionSettings(dim_head=8)
        ),
    }
    options = write_rvt_checkpoint(
        tmp_path / "rvt.ckpt", made(config.model_copy(update=changes))
    ).split()
    wanted = [
        "+model.head.num_classes=3",
        "model.backbone.embed_dim=8",
        "model.backbone.dim_multiplier=[1,2,4,8]",
        "model.backbone.stem.patch_size=2",
        "model.backbone.partition_split_32=2",
        "model.backbone.stage.attention.attention_bias=true",
        "model.backbone.stage.lstm.dws_conv=true",
        "model.backbone.stage.lstm.dws_conv_kernel_size=5",
        "model.fpn.in_stages=[2,3,4]",
        "model.fpn.depth=0.67",
    ]
    assert set(wanted) <= set(options)


@pytest.mark.parametrize(
    ("changes", "layout", "named"),
    [
        ({"cell": no_memory.Config()}, "rvt", "cell identity"),
        ({"cell": no_memory.Config()}, "fork", "cell identity"),
        ({"neck": deformable.Config()}, "rvt", "neck deformable"),
        ({"neck_stages": (1, 2, 3, 4)}, "rvt", "neck over 4 maps"),
        ({"neck_stages": (3, 4)}, "fork", "neck over 2 maps"),
        ({"neck": pafpn.Config(normalisation=Normalisation(eps=1e-3))}, "rvt", "neck.normal"),
        ({"head": yolox.Config(normalisation=Normalisation(eps=1e-3))}, "rvt", "head.normal"),
        ({"head": yolox.Config(num_convolutions=1)}, "rvt", "head.num_convolutions"),
        ({"head": yolox.Config(hidden_channels=8)}, "rvt", "head.hidden_channels"),
    ],
)
def test_what_rvt_lacks_is_refused_by_name(
    tmp_path: Path, config: rvt.Config, changes: dict[str, object], layout: NamingScheme, named: str
) -> None:
    with pytest.raises(CheckpointError, match=f"knows no {named}"):
        write_rvt_checkpoint(tmp_path / "rvt.ckpt", made(config.model_copy(update=changes)), layout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("backbone", "named"),
    [
        ({"partition_split": 3}, "partition_split 3 with patches of 4 px"),
        ({"dim_multipliers": (1, 2, 4), "num_blocks": (1, 1, 1)}, "3 stages"),
        ({"attention": {"dim_head": 8, "norm_eps": 1e-6}}, "attention.norm_eps"),
    ],
)
def test_backbones_that_rvt_lacks_are_refused_by_name(
    tmp_path: Path, config: rvt.Config, backbone: dict[str, object], named: str
) -> None:
    settings = config.backbone.model_dump() | backbone
    num_stages = len(settings["dim_multipliers"])
    stages = tuple(range(num_stages - 2, num_stages + 1))
    changes = {"backbone": maxvit.Config.model_validate(settings), "neck_stages": stages}
    with pytest.raises(CheckpointError, match=named):
        write_rvt_checkpoint(tmp_path / "rvt.ckpt", made(config.model_copy(update=changes)))


def test_resizing_is_left_to_who_feeds_rvt(
    tmp_path: Path, config: rvt.Config, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = made(config.model_copy(update={"input_size": (64, 96)}))
    with caplog.at_level(logging.WARNING):
        write_rvt_checkpoint(tmp_path / "rvt.ckpt", checkpoint)
    assert "give it frames of 64 x 96 px" in caplog.text
    assert same_weights(read_checkpoint(tmp_path / "rvt.ckpt").detector, checkpoint.detector)


def test_classes_that_rvt_takes_no_option_for_are_told(
    tmp_path: Path, config: rvt.Config, caplog: pytest.LogCaptureFixture
) -> None:
    many = made(config, class_names=("a", "b", "c", "d"))
    with caplog.at_level(logging.WARNING):
        write_rvt_checkpoint(tmp_path / "rvt.ckpt", made(config))
        write_rvt_checkpoint(tmp_path / "fork.ckpt", many, "fork")
        assert caplog.text == ""
        write_rvt_checkpoint(tmp_path / "rvt.ckpt", many)
    assert "write 4 into its config/modifier.py" in caplog.text
