from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.models.detector import reset_state
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.refinements.small_object_attention import Config, SmallObjectAttention

CHANNELS, STRIDES = (16, 32, 64), (8, 16, 32)


def make_maps(num_windows: int = 4, num_lanes: int = 3) -> tuple[Tensor, ...]:
    sizes = ((9, 13), (5, 7), (3, 4))  # odd sizes on purpose
    return tuple(
        torch.randn(num_windows, num_lanes, channels, *size)
        for channels, size in zip(CHANNELS, sizes, strict=True)
    )


def learnt(config: Config) -> SmallObjectAttention:
    """Attention that does something, as if it had been trained."""
    attention = config.build(CHANNELS, STRIDES)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return attention


def test_changes_nothing_before_it_has_learnt() -> None:
    maps = make_maps()
    refined, state = Config().build(CHANNELS, STRIDES)(maps, ())
    torch.testing.assert_close(refined, maps, rtol=0, atol=0)
    assert [memory.shape for memory in state] == [clip.shape[1:] for clip in maps[:2]]


def test_a_detector_trained_further_starts_from_what_it_was(
    config: rvt.Config, make_batch: Callable[..., SequenceBatch]
) -> None:
    attentive = config.model_copy(update={"refinement": Config()}).build(4, 3).eval()
    plain = config.build(4, 3).eval()
    plain.load_state_dict(attentive.state_dict(), strict=False)
    frames = make_batch().frames
    with torch.no_grad():
        torch.testing.assert_close(attentive(frames)[0], plain(frames)[0], rtol=0, atol=0)


def test_soon_all_of_it_learns() -> None:
    attention, maps = Config().build(CHANNELS, STRIDES), make_maps()
    optimizer = torch.optim.SGD(attention.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        refined, _ = attention(maps, ())
        torch.stack([clip.square().mean() for clip in refined]).sum().backward()
        optimizer.step()
    silent = [
        name
        for name, weight in attention.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
    assert silent == []


def part(attention: SmallObjectAttention, name: str) -> Callable[[Tensor], Tensor]:
    return attention.get_submodule(name)


def weights(attention: SmallObjectAttention, name: str) -> tuple[Tensor, Tensor]:
    return attention.get_parameter(f"{name}.weight"), attention.get_parameter(f"{name}.bias")


def factors(attention: SmallObjectAttention, maps: tuple[Tensor, ...]) -> list[Tensor]:
    refined, _ = attention(maps, ())
    return [after / before for after, before in zip(refined, maps, strict=True)]


def test_a_factor_is_never_less_than_none_or_more_than_double() -> None:
    for single in ("spatial", "temporal", "channel"):
        switches = {name: name == single for name in ("spatial", "temporal", "channel")}
        for factor in factors(learnt(Config(**switches)), make_maps()):
            assert factor.min() >= 0
            assert factor.max() <= 2 + 1e-6


def test_spatial_attention_is_the_formula_written_out() -> None:
    attention, maps = learnt(Config(temporal=False, channel=False)), make_maps(1, 1)
    refined, state = attention(maps, ())
    assert state == ()
    torch.testing.assert_close(refined[2], maps[2], rtol=0, atol=0)
    fine = maps[0][0, 0]
    height, width = fine.shape[1:]
    gate, offset = weights(attention, "spatial.0.gate.logits")
    logits = offset.expand(height, width).clone()
    for index, dilation in enumerate((1, 2, 4)):
        kernel, bias = weights(attention, f"spatial.0.contexts.{index}")
        for y in range(height):
            for x in range(width):
                seen = bias[0]
                for dy in (-1, 0, 1):
                    for dx in (-1, 0, 1):
                        v, u = y + dilation * dy, x + dilation * dx
                        if 0 <= v < height and 0 <= u < width:
                            seen = seen + kernel[0, :, dy + 1, dx + 1] @ fine[:, v, u]
                logits[y, x] += gate[0, index, 0, 0] * seen * seen.sigmoid()
    torch.testing.assert_close(refined[0][0, 0], 2 * logits.sigmoid() * fine, atol=1e-5, rtol=1e-4)


def test_temporal_attention_compares_with_the_window_before() -> None:
    attention = learnt(Config(spatial=False, channel=False))
    maps = make_maps()
    refined, state = attention(maps, ())
    torch.testing.assert_close(state, tuple(clip[-1] for clip in maps[:2]), rtol=0, atol=0)
    clip = maps[1]
    compare, decide = (
        part(attention, f"temporal.1.{name}") for name in ("comparison", "gate.logits")
    )
    for t, previous in ((0, torch.zeros_like(clip[0])), (2, clip[1])):
        compared = compare(torch.cat([clip[t], previous], dim=1))
        logits = decide(compared * compared.sigmoid())
        torch.testing.assert_close(refined[1][t], 2 * logits.sigmoid() * clip[t])


def test_channel_attention_weighs_whole_channels_by_their_means() -> None:
    attention, maps = learnt(Config(spatial=False, temporal=False)), make_maps()
    for index, factor in enumerate(factors(attention, maps)):
        means = maps[index].mean(dim=(3, 4))
        squeeze, squeeze_bias = weights(attention, f"channel.{index}.squeeze")
        gate, gate_bias = weights(attention, f"channel.{index}.gate.logits")
        hidden = means @ squeeze[:, :, 0, 0].T + squeeze_bias
        logits = (hidden * hidden.sigmoid()) @ gate[:, :, 0, 0].T + gate_bias
        expected = 2 * logits.sigmoid()
        torch.testing.assert_close(
            factor, expected[..., None, None].expand_as(factor), atol=1e-4, rtol=1e-3
        )


def test_fine_maps_have_fewer_channels_to_decide_by() -> None:
    attention = Config().build((64, 64, 64), (8, 16, 32))
    hidden = [len(weights(attention, f"channel.{index}.squeeze")[0]) for index in range(3)]
    assert hidden == [4, 8, 8]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_window_by_window_is_the_whole_clip_at_once(cut: int) -> None:
    attention, maps = learnt(Config()).eval(), make_maps()
    whole, whole_state = attention(maps, ())
    first, state = attention(tuple(clip[:cut] for clip in maps), ())
    second, last_state = attention(tuple(clip[cut:] for clip in maps), state)
    joined = tuple(torch.cat(parts) for parts in zip(first, second, strict=True))
    torch.testing.assert_close(joined, whole)
    torch.testing.assert_close(last_state, whole_state)
    fresh, _ = attention(tuple(clip[cut:] for clip in maps), ())
    assert not torch.allclose(fresh[0], second[0])


def test_the_memory_does_not_keep_the_whole_clip() -> None:
    for attention in (Config(), Config(spatial=False)):
        _, state = attention.build(CHANNELS, STRIDES)(make_maps(), ())
        for memory in state:
            assert memory.untyped_storage().nbytes() == memory.numel() * memory.element_size()


@pytest.mark.parametrize("training", [True, False])
def test_lanes_do_not_see_each_other(training: bool) -> None:  # noqa: FBT001
    attention, maps = learnt(Config()).train(training), make_maps()
    together, state = attention(maps, ())
    alone, alone_state = attention(tuple(clip[:, 1:2] for clip in maps), ())
    torch.testing.assert_close(alone, tuple(clip[:, 1:2] for clip in together))
    torch.testing.assert_close(alone_state, tuple(memory[1:2] for memory in state))


def test_only_the_lane_that_starts_forgets() -> None:
    attention, later = learnt(Config()).eval(), make_maps()
    _, state = attention(make_maps(), ())
    fresh, carried = attention(later, ())[0], attention(later, state)[0]
    starts = torch.tensor([True, False, False])
    found, _ = attention(later, reset_state(state, starts))
    for scale in (0, 1):
        torch.testing.assert_close(found[scale][:, :1], fresh[scale][:, :1])
        torch.testing.assert_close(found[scale][:, 1:], carried[scale][:, 1:])
        assert not torch.allclose(fresh[scale][0], carried[scale][0])


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_any_number_of_maps_and_switches(scales: int) -> None:
    maps = make_maps()[:scales]
    for temporal in (True, False):
        config = Config(temporal=temporal, dilations=(3,), num_scales=2)
        attention = config.build(CHANNELS[:scales], STRIDES[:scales])
        refined, state = attention(maps, ())
        assert [clip.shape for clip in refined] == [clip.shape for clip in maps]
        assert len(state) == attention.num_memories == (min(scales, 2) if temporal else 0)
    off = Config(spatial=False, temporal=False, channel=False).build(CHANNELS, STRIDES)
    assert list(off.parameters()) == []


def test_dilations_are_checked() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Config(dilations=(1, 0))
    with pytest.raises(ValidationError, match="at least 1 item"):
        Config(dilations=())
