"""What every cell promises."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.component import kinds
from etram_pipeline.models.cells import Cell, CellConfig

DIM = 8

CHOICES: list[dict[str, object]] = [{"kind": kind} for kind in kinds("etram_pipeline.models.cells")]
CHOICES += [
    {"kind": "conv_lstm", "depthwise": mixed, "kernel_size": 5}
    for mixed in ("hidden", "input_and_hidden")
]
CHOICES += [
    {"kind": "conv_gru", "kernel_size": 3},
    {"kind": "s5", "num_modes": 3, "bandlimit": None},
    {"kind": "enhanced_lstm", "lstm": {"kind": "conv_lstm", "depthwise": "hidden"}},
]


@dataclass(frozen=True)
class Case:
    """A cell, and a clip of five windows of three lanes for it."""

    cell: Cell
    maps: Tensor


@pytest.fixture(params=CHOICES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    cell = CellConfig.model_validate(request.param).build(DIM)
    return Case(cell.eval(), torch.randn(5, 3, DIM, 4, 6))


def test_a_window_at_a_time_is_the_clip_at_once(case: Case) -> None:
    with torch.no_grad():
        whole, whole_state = case.cell(case.maps, ())
        outputs, state = [], ()
        for window in case.maps.split(1):
            output, state = case.cell(window, state)
            outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, whole_state, rtol=0, atol=1e-6)


def test_a_clip_goes_on_where_the_one_before_ended(case: Case) -> None:
    with torch.no_grad():
        whole, whole_state = case.cell(case.maps, ())
        first, state = case.cell(case.maps[:2], ())
        second, state = case.cell(case.maps[2:], state)
        forgotten, _ = case.cell(case.maps[2:], ())
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, whole_state, rtol=0, atol=1e-6)
    assert torch.equal(forgotten, second) == (case.cell.num_memories == 0)


def test_no_state_is_a_state_of_zeros(case: Case) -> None:
    with torch.no_grad():
        outputs, state = case.cell(case.maps, ())
        zeros = tuple(torch.zeros_like(memory) for memory in state)
        again, state_again = case.cell(case.maps, zeros)
    assert torch.equal(outputs, again)
    torch.testing.assert_close(state, state_again, rtol=0, atol=0)


def test_lanes_do_not_see_each_other(case: Case) -> None:
    with torch.no_grad():
        together, state = case.cell(case.maps, ())
        alone, state_alone = case.cell(case.maps[:, 1:2], ())
    torch.testing.assert_close(together[:, 1:2], alone, rtol=0, atol=1e-6)
    for memory, memory_alone in zip(state, state_alone, strict=True):
        torch.testing.assert_close(memory[1:2], memory_alone, rtol=0, atol=1e-6)


def test_the_past_does_not_see_the_future(case: Case) -> None:
    changed = case.maps.clone()
    changed[3:] = torch.randn_like(changed[3:])
    with torch.no_grad():
        difference = case.cell(changed, ())[0] - case.cell(case.maps, ())[0]
    assert difference[:3].abs().max() < 1e-6
    assert difference[3].abs().max() > 1e-3


def test_every_parameter_learns_from_outputs_and_from_the_carried_state(case: Case) -> None:
    maps = case.maps.requires_grad_()
    _, state = case.cell(maps[:2], ())
    outputs, _ = case.cell(maps[2:], state)
    outputs.square().sum().backward()
    gradients = {name: weight.grad for name, weight in case.cell.named_parameters()}
    assert [
        name
        for name, gradient in gradients.items()
        if gradient is None or not gradient.isfinite().all() or not gradient.any()
    ] == []
    assert maps.grad is not None
    assert maps.grad[:2].any() == (case.cell.num_memories > 0)


def test_gradients_are_those_of_small_differences(case: Case) -> None:
    cell, maps = case.cell.double(), case.maps[:3, :1, :, :1, :2].double().requires_grad_()
    direction = torch.randn_like(maps)

    def loss(maps: Tensor) -> Tensor:
        return torch.sin(cell(maps, ())[0]).sum()

    (gradient,) = torch.autograd.grad(loss(maps), maps)
    with torch.no_grad():
        rise = loss(maps + 1e-6 * direction) - loss(maps - 1e-6 * direction)
    torch.testing.assert_close((gradient * direction).sum(), rise / 2e-6, rtol=1e-6, atol=1e-8)


def test_the_state_has_a_map_for_each_memory_and_lane(case: Case) -> None:
    _, state = case.cell(case.maps, ())
    assert len(state) == case.cell.num_memories
    for memory in state:
        assert memory.ndim == 4
        assert memory.dtype == torch.float32
        assert (memory.shape[0], *memory.shape[2:]) == (3, 4, 6)


def test_the_state_keeps_single_precision_under_mixed_precision(case: Case) -> None:
    with torch.no_grad():
        exact, _ = case.cell(case.maps, ())
        with torch.autocast("cpu", torch.bfloat16):
            rough, state = case.cell(case.maps.bfloat16(), ())
            _, state = case.cell(case.maps.bfloat16(), state)
    assert all(memory.dtype == torch.float32 for memory in state)
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.1)


def test_maps_keep_their_size_and_are_channels_last(case: Case) -> None:
    channels_last = case.maps.movedim(2, -1).contiguous().movedim(-1, 2)
    with torch.no_grad():
        outputs, _ = case.cell(channels_last, ())
    assert outputs.shape == case.maps.shape
    assert outputs.movedim(2, -1).is_contiguous()


def test_layouts_in_memory_do_not_change_numbers(case: Case) -> None:
    channels_last = case.maps.movedim(2, -1).contiguous().movedim(-1, 2)
    with torch.no_grad():
        outputs, state = case.cell(channels_last, ())
        expected, expected_state = case.cell(case.maps, tuple(map(torch.zeros_like, state)))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, expected_state, rtol=0, atol=1e-6)


def test_cells_that_do_not_know_of_time_are_the_same_at_any(case: Case) -> None:
    with torch.no_grad():
        before, _ = case.cell(case.maps, ())
        case.cell.rescale_time(0.5)
        after, _ = case.cell(case.maps, ())
    assert torch.equal(before, after) != case.cell.knows_time
