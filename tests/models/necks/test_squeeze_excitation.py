import torch
from torch import Tensor

from etram_pipeline.models.necks import NeckConfig

CHANNELS, STRIDES = (32, 64), (8, 16)


def test_channels_are_weighed_by_the_formula_of_squeeze_and_excitation() -> None:
    settings = {"kind": "squeeze_excitation", "reduction": 8}
    neck = NeckConfig.model_validate(settings).build(CHANNELS, STRIDES, 4).eval()
    for name, parameter in neck.named_parameters():
        if name.startswith("attention"):
            torch.nn.init.normal_(parameter, std=0.5)
    maps = torch.randn(2, 32, 4, 6), torch.randn(2, 64, 2, 3)
    merged: tuple[Tensor, ...] = neck.get_submodule("inner")(maps)
    for index, (found, before) in enumerate(zip(neck(maps), merged, strict=True)):
        weights = {
            name: neck.get_parameter(f"attention.{index}.{name}").flatten(1)
            if name.endswith("weight")
            else neck.get_parameter(f"attention.{index}.{name}")
            for name in ("squeeze.weight", "squeeze.bias", "gate.logits.weight", "gate.logits.bias")
        }
        assert weights["squeeze.weight"].shape == (CHANNELS[index] // 8, CHANNELS[index])
        for image in range(2):
            means = before[image].flatten(1).sum(dim=1) / before[image, 0].numel()
            hidden = weights["squeeze.weight"] @ means + weights["squeeze.bias"]
            logits = weights["gate.logits.weight"] @ (hidden / (1 + (-hidden).exp()))
            factors = 2 / (1 + (-(logits + weights["gate.logits.bias"])).exp())
            expected = before[image] * factors[:, None, None]
            torch.testing.assert_close(found[image], expected, rtol=1e-4, atol=1e-5)


def test_narrow_maps_keep_one_hidden_channel() -> None:
    settings = {"kind": "squeeze_excitation", "reduction": 100}
    neck = NeckConfig.model_validate(settings).build(CHANNELS, STRIDES, 4)
    assert neck.get_parameter("attention.0.squeeze.weight").shape[0] == 1
