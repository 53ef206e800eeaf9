from math import exp, hypot

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from etram_pipeline.models.event_density import event_density
from etram_pipeline.models.necks.cross_attention import (
    Config,
    SparseCrossAttention,
    busiest_places,
)

STRIDE, CHANNELS = 4, 6


def learnt(places: int = 5) -> SparseCrossAttention:
    config = Config(places=places, num_heads=2, dim_head=4)
    attention = SparseCrossAttention(CHANNELS, 3, STRIDE, config)
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    return attention


def make_frames(seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return torch.poisson(torch.full((2, 3, 16, 24), 0.3)).to(torch.uint8)


def linear(layer: nn.Linear, values: Tensor) -> Tensor:
    return layer.weight @ values + layer.bias


def attend_written_out(attention: SparseCrossAttention, maps: Tensor, frames: Tensor) -> Tensor:
    """One image, cell by cell."""
    density, changed = event_density(frames[None], STRIDE)[0, 0], maps.clone()
    rows, columns = density.shape
    every = [(y, x) for y in range(rows) for x in range(columns)]
    busiest = sorted(every, key=lambda cell: (-density[cell].item(), cell))[: attention.places]
    places = [cell for cell in busiest if density[cell] > 0]
    keys, values = {}, {}
    for y, x in places:
        patch = frames[:, y * STRIDE : (y + 1) * STRIDE, x * STRIDE : (x + 1) * STRIDE]
        embedded = linear(attention.embedding, patch.flatten().float())
        norm = attention.event_norm
        normed = layer_norm(embedded, norm.normalized_shape, norm.weight, norm.bias)
        keys[y, x], values[y, x] = linear(attention.key_value, normed).split(8)
    for y, x in places:
        norm = attention.map_norm
        features = layer_norm(maps[:, y, x], norm.normalized_shape, norm.weight, norm.bias)
        query, heads = linear(attention.query, features), []
        for head, part in enumerate((slice(0, 4), slice(4, 8))):
            slope = 2 ** (-8 * (head + 1) / 2)
            logits = {
                (v, u): float(query[part] @ keys[v, u][part]) / 2 - slope * hypot(y - v, x - u)
                for v, u in places
            }
            total = sum(exp(logit) for logit in logits.values())
            read = [exp(logits[cell]) / total * values[cell][part] for cell in places]
            heads.append(torch.stack(read).sum(dim=0))
        changed[:, y, x] += linear(attention.projection, torch.cat(heads))
    return changed


@torch.no_grad()
@pytest.mark.parametrize("places", [1, 5, 100])
def test_busy_places_read_each_other_by_the_formula(places: int) -> None:
    attention, maps, frames = learnt(places), torch.randn(2, CHANNELS, 4, 6), make_frames()
    frames[1, :, 4:] = 0  # fewer places with events than are chosen
    found = attention(maps, frames)
    for image in range(2):
        expected = attend_written_out(attention, maps[image], frames[image])
        torch.testing.assert_close(found[image], expected, rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 1000), number=st.integers(1, 40))
def test_places_are_those_with_the_most_events_and_the_first_of_equal_ones(
    seed: int, number: int
) -> None:
    density = event_density(make_frames(seed) // 2, STRIDE)
    places, has_events = busiest_places(density, number)
    for image in range(2):
        flat = density[image].flatten().tolist()
        expected = sorted(range(24), key=lambda cell: (-flat[cell], cell))[:number]
        assert places[image].tolist() == expected
        assert has_events[image].tolist() == [flat[cell] > 0 for cell in expected]


def test_a_window_without_events_changes_nothing() -> None:
    attention, maps = learnt(), torch.randn(2, CHANNELS, 4, 6)
    frames = make_frames()
    frames[0] = 0
    found = attention(maps, frames)
    assert torch.equal(found[0], maps[0])
    assert not torch.equal(found[1], maps[1])


def test_only_the_finest_maps_are_changed() -> None:
    neck = Config(num_scales=2).build((8, 16, 32), (4, 8, 16), 3)
    assert len(neck.attention) == 2
    every = Config(num_scales=5).build((8, 16, 32), (4, 8, 16), 3)
    assert len(every.attention) == 3
