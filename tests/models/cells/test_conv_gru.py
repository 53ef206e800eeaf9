import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import conv2d

from etram_pipeline.models.cells.conv_gru import Config

DIM = 6


def test_every_pixel_is_a_gru_of_torch() -> None:
    cell = Config().build(DIM).double()
    oracle = torch.nn.GRUCell(DIM, DIM, dtype=torch.float64)
    oracle.load_state_dict(
        {
            "weight_ih": cell.input_gates.weight.flatten(1),
            "bias_ih": cell.get_parameter("input_gates.bias"),
            "weight_hh": cell.hidden_gates.weight.flatten(1),
            "bias_hh": cell.get_parameter("hidden_gates.bias"),
        }
    )
    maps = torch.randn(4, 2, DIM, 3, 5, dtype=torch.float64)
    outputs, (kept,) = cell(maps, ())
    for lane, row, column in ((0, 0, 0), (1, 2, 4)):
        hidden = torch.zeros(1, DIM, dtype=torch.float64)
        for window in range(4):
            hidden = oracle(maps[window, lane, :, row, column][None], hidden)
            pixel = outputs[window, lane, :, row, column]
            torch.testing.assert_close(pixel, hidden[0], rtol=0, atol=1e-12)
        torch.testing.assert_close(kept[lane, :, row, column], hidden[0], rtol=0, atol=1e-12)


def test_kernels_reach_across_pixels_as_the_equations_say() -> None:
    cell = Config(kernel_size=3).build(2).double()
    maps = torch.randn(1, 1, 2, 4, 5, dtype=torch.float64)
    hidden = torch.randn(1, 2, 4, 5, dtype=torch.float64)
    with torch.no_grad():
        outputs, (kept,) = cell(maps, (hidden,))

        def gate(place: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = slice(2 * place, 2 * place + 2)
            of_input, of_hidden = (
                conv2d(what, layer.weight[rows], layer.get_parameter("bias")[rows], padding=1)
                for what, layer in ((maps[0], cell.input_gates), (hidden, cell.hidden_gates))
            )
            return of_input, of_hidden

        reset, update = (torch.sigmoid(sum(gate(place), torch.zeros(1))) for place in (0, 1))
        of_input, of_hidden = gate(2)
        proposal = torch.tanh(of_input + reset * of_hidden)
        expected = (1 - update) * proposal + update * hidden
    torch.testing.assert_close(outputs[0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(kept, expected, rtol=0, atol=1e-12)


def test_kernels_of_even_size_are_refused() -> None:
    with pytest.raises(ValidationError, match="kernel_size must be odd"):
        Config(kernel_size=2)
