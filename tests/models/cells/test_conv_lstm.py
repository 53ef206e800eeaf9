import math

import pytest
import torch
from pydantic import ValidationError

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
