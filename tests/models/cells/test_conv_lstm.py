import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import conv2d

from etram_pipeline.models.cells.conv_lstm import Config, ConvLSTM


def make(dim: int = 2, **settings: object) -> ConvLSTM:
    return Config.model_validate(settings).build(dim)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_gates_come_in_the_order_forget_input_output_cell_input() -> None:
    cell = make(dim=1)
    torch.nn.init.zeros_(cell.gates.weight)
    cell.gates.bias = torch.nn.Parameter(torch.tensor([0.1, 0.2, 0.3, 0.4]))
    state = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0)
    output, (hidden, memory) = cell(torch.zeros(1, 1, 1, 1, 1), state)
    expected_memory = sigmoid(0.1) * 2 + sigmoid(0.2) * math.tanh(0.4)
    assert memory.item() == pytest.approx(expected_memory)
    assert hidden.item() == pytest.approx(sigmoid(0.3) * math.tanh(expected_memory))
    assert torch.equal(output[0], hidden)


def test_no_state_is_a_state_of_zeros() -> None:
    cell, maps = make(), torch.randn(3, 2, 2, 4, 5)
    zeros = torch.zeros(2, 2, 4, 5)
    torch.testing.assert_close(cell(maps, ()), cell(maps, (zeros, zeros)))


@pytest.mark.parametrize(
    ("depthwise", "reach"), [("none", 0), ("hidden", 1), ("input_and_hidden", 2)]
)
def test_pixels_see_each_other_only_through_the_depthwise_convolution(
    depthwise: str, reach: int
) -> None:
    cell, maps = make(depthwise=depthwise), torch.randn(2, 1, 2, 1, 9)
    changed = maps.clone()
    changed[0, :, :, 0, 4] += 1
    difference = (cell(maps, ())[0] - cell(changed, ())[0]).abs().sum(dim=(1, 2, 3))
    seen = difference[1].nonzero().squeeze(1).tolist()
    assert seen == list(range(4 - reach, 4 + reach + 1))


def test_the_memory_keeps_single_precision_under_mixed_precision() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        _, (hidden, memory) = make()(torch.randn(2, 1, 2, 4, 4).bfloat16(), ())
    assert memory.dtype == hidden.dtype == torch.float32


def test_dropout_spares_the_memory_in_evaluation() -> None:
    cell, maps = make(cell_input_dropout=0.9), torch.randn(1, 1, 2, 8, 8)
    _, (_, dropped) = cell.train()(maps, ())
    _, (_, kept) = cell.eval()(maps, ())
    assert (dropped == 0).sum() > 50
    assert (kept == 0).sum() == 0


def test_kernels_of_even_size_are_refused() -> None:
    with pytest.raises(ValidationError, match="kernel_size must be odd"):
        Config(kernel_size=4)


@pytest.mark.parametrize("depthwise", ["none", "hidden", "input_and_hidden"])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_it_is_the_published_equations(depthwise: str, kernel_size: int) -> None:
    dim, padding = 3, kernel_size // 2
    cell = make(dim, depthwise=depthwise, kernel_size=kernel_size).double()
    maps = torch.randn(3, 2, dim, 6, 7, dtype=torch.float64)
    hidden, memory = torch.randn(2, 2, dim, 6, 7, dtype=torch.float64)
    gate_bias = cell.get_parameter("gates.bias")[:, None, None]
    outputs, kept = cell(maps, (hidden, memory))
    for window, x in enumerate(maps):
        seen = {"none": None, "hidden": hidden, "input_and_hidden": torch.cat([x, hidden], 1)}
        both = torch.cat([x, hidden], dim=1)
        mixed = seen[depthwise]
        if mixed is not None:
            weight, bias = (cell.get_parameter(f"mixing.{name}") for name in ("weight", "bias"))
            channels = [
                conv2d(mixed[:, [place]], weight[[place]], padding=padding)
                for place in range(mixed.shape[1])
            ]
            mixed = torch.cat(channels, dim=1) + bias[:, None, None]
            both = mixed if depthwise == "input_and_hidden" else torch.cat([x, mixed], dim=1)
        gates = torch.einsum("gc,bchw->bghw", cell.gates.weight[:, :, 0, 0], both)
        forget, admit, emit, proposal = (gates + gate_bias).chunk(4, dim=1)
        memory = forget.sigmoid() * memory + admit.sigmoid() * proposal.tanh()
        hidden = emit.sigmoid() * memory.tanh()
        torch.testing.assert_close(outputs[window], hidden, rtol=0, atol=1e-12)
    torch.testing.assert_close(kept, (hidden, memory), rtol=0, atol=1e-12)
