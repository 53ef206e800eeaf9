import torch

from etram_pipeline.models.cells import conv_lstm, plain_lstm
from etram_pipeline.models.rvt_format.lstm_layouts import conv_lstm_from_plain

DIM = 6


def test_every_pixel_is_an_lstm_of_torch() -> None:
    cell = plain_lstm.Config().build(DIM).double()
    torch.nn.init.normal_(cell.get_parameter("input_transform.bias"))
    oracle = torch.nn.LSTMCell(DIM, DIM, dtype=torch.float64)
    order = [0, 1, 3, 2]  # of gates in torch: input, forget, cell input, output

    def reordered(weights: torch.Tensor) -> torch.Tensor:
        chunks = weights.flatten(1).chunk(4) if weights.ndim > 1 else weights.chunk(4)
        return torch.cat([chunks[place] for place in order])

    oracle.load_state_dict(
        {
            "weight_ih": reordered(cell.input_transform.weight),
            "bias_ih": reordered(cell.get_parameter("input_transform.bias")),
            "weight_hh": reordered(cell.hidden_transform.weight),
            "bias_hh": torch.zeros(4 * DIM, dtype=torch.float64),
        }
    )
    maps = torch.randn(4, 2, DIM, 3, 5, dtype=torch.float64)
    outputs, (hidden, memory) = cell(maps, ())
    for lane, row, column in ((0, 0, 0), (1, 2, 4)):
        state = torch.zeros(2, 1, DIM, dtype=torch.float64).unbind()
        for window in range(4):
            state = oracle(maps[window, lane, :, row, column][None], state)
            pixel = outputs[window, lane, :, row, column]
            torch.testing.assert_close(pixel, state[0][0], rtol=0, atol=1e-12)
        torch.testing.assert_close(hidden[lane, :, row, column], state[0][0], rtol=0, atol=1e-12)
        torch.testing.assert_close(memory[lane, :, row, column], state[1][0], rtol=0, atol=1e-12)


def test_it_computes_what_rvts_lstm_does() -> None:
    plain = plain_lstm.Config().build(DIM).double()
    other = conv_lstm.Config().build(DIM).double()
    other.load_state_dict(conv_lstm_from_plain(plain.state_dict()))
    maps = torch.randn(5, 2, DIM, 3, 4, dtype=torch.float64)
    state = tuple(torch.randn(2, 2, DIM, 3, 4, dtype=torch.float64).unbind())
    torch.testing.assert_close(plain(maps, state), other(maps, state), rtol=0, atol=1e-12)


def test_training_starts_as_in_the_fork() -> None:
    weights = plain_lstm.Config().build(DIM).state_dict()
    assert {name: tuple(weight.shape) for name, weight in weights.items()} == {
        "input_transform.weight": (4 * DIM, DIM, 1, 1),
        "input_transform.bias": (4 * DIM,),
        "hidden_transform.weight": (4 * DIM, DIM, 1, 1),
    }
    bias = weights["input_transform.bias"].view(4, DIM)
    assert bias.tolist() == [[0] * DIM, [1] * DIM, [0] * DIM, [0] * DIM]
    hidden = weights["hidden_transform.weight"].flatten(1)
    torch.testing.assert_close(hidden.T @ hidden, torch.eye(DIM), rtol=0, atol=1e-5)
    bound = (6 / (DIM + 4 * DIM)) ** 0.5
    largest = weights["input_transform.weight"].abs().max().item()
    assert bound * 0.9 < largest <= bound


def test_dropout_spares_the_memory_in_evaluation() -> None:
    cell = plain_lstm.Config(cell_input_dropout=0.9).build(2)
    maps = torch.randn(1, 1, 2, 8, 8)
    _, (_, dropped) = cell.train()(maps, ())
    _, (_, kept) = cell.eval()(maps, ())
    assert (dropped == 0).sum() > 50
    assert (kept == 0).sum() == 0
