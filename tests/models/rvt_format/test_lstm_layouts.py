import pytest
import torch

from etram_pipeline.models.cells import conv_lstm, plain_lstm
from etram_pipeline.models.rvt_format.lstm_layouts import conv_lstm_from_plain, plain_from_conv_lstm


def test_there_and_back_changes_no_bit() -> None:
    plain = plain_lstm.Config().build(5).state_dict()
    conv = conv_lstm.Config().build(5).state_dict()
    for start, back in (
        (plain, plain_from_conv_lstm(conv_lstm_from_plain(plain))),
        (conv, conv_lstm_from_plain(plain_from_conv_lstm(conv))),
    ):
        assert start.keys() == back.keys()
        assert all(torch.equal(start[name], back[name]) for name in start)


def test_gates_and_kernels_go_where_they_belong() -> None:
    conv = conv_lstm_from_plain(
        {
            "input_transform.weight": torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1, 1),
            "input_transform.bias": torch.tensor([10.0, 20, 30, 40]),
            "hidden_transform.weight": torch.tensor([5.0, 6, 7, 8]).view(4, 1, 1, 1),
        }
    )
    # input, forget, output, cell input become forget, input, output, cell input
    assert conv["gates.weight"].flatten(1).tolist() == [[2, 6], [1, 5], [3, 7], [4, 8]]
    assert conv["gates.bias"].tolist() == [20, 10, 30, 40]


def test_the_given_weights_are_left_as_they_are() -> None:
    plain = plain_lstm.Config().build(3).state_dict()
    before = {name: weight.clone() for name, weight in plain.items()}
    for weight in conv_lstm_from_plain(plain).values():
        weight.zero_()
    assert all(torch.equal(plain[name], before[name]) for name in plain)


def test_weights_of_another_cell_are_refused() -> None:
    mixing = conv_lstm.Config(depthwise="hidden").build(3).state_dict()
    with pytest.raises(ValueError, match=r"without depth-wise convolution.*mixing\.weight"):
        plain_from_conv_lstm(mixing)
    with pytest.raises(ValueError, match="those of a plain_lstm"):
        conv_lstm_from_plain(mixing)
