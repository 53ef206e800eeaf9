import pytest
import torch
from pydantic import ValidationError

from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones.maxvit import Config
from etram_pipeline.models.cells import conv_lstm


def test_maps_halve_from_stage_to_stage() -> None:
    config = Config(embed_dim=4, attention=AttentionSettings(dim_head=2))
    backbone = config.build(3, conv_lstm.Config())
    maps, state = backbone(torch.zeros(2, 1, 3, 64, 128), ())
    assert backbone.strides == (4, 8, 16, 32)
    assert backbone.size_multiple == 64
    assert [tuple(m.shape[2:]) for m in maps] == [(4, 16, 32), (8, 8, 16), (16, 4, 8), (32, 2, 4)]
    assert len(state) == 8


def test_stages_and_their_blocks_are_a_setting() -> None:
    config = Config(
        embed_dim=4,
        dim_multipliers=(1, 3),
        num_blocks=(2, 0),
        patch_size=2,
        partition_split=1,
        attention=AttentionSettings(dim_head=2),
    )
    backbone = config.build(3, conv_lstm.Config())
    maps, _ = backbone(torch.zeros(1, 2, 3, 8, 12), ())
    assert [tuple(m.shape[2:]) for m in maps] == [(4, 4, 6), (12, 2, 3)]
    names = {name for name, _ in backbone.named_modules()}
    assert {"stages.0.blocks.1", "stages.1.blocks"} <= names
    assert not {"stages.0.blocks.2", "stages.1.blocks.0"} & names


def test_frames_lose_nothing_in_half_precision_that_the_first_convolution_would_keep() -> None:
    config = Config(embed_dim=4, attention=AttentionSettings(dim_head=2))
    backbone = config.build(1, conv_lstm.Config())
    counts = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16).tile(4, 4)
    assert torch.equal(counts.bfloat16().byte(), counts)
    for frames in (counts, counts / 7):
        with torch.autocast("cpu", torch.bfloat16):
            found, _ = backbone(frames, ())
            expected, _ = backbone.stages[0](frames.float(), (), (1, 1))
        torch.testing.assert_close(found[0], expected, rtol=0, atol=0)


def test_heads_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(ValidationError, match="dim_head 32 does not divide the 48 channels"):
        Config(embed_dim=48)


def test_blocks_for_another_number_of_stages_are_refused() -> None:
    with pytest.raises(ValidationError, match="num_blocks is for 2 stages"):
        Config(num_blocks=(1, 1))
