"""Lossless conversion of LSTM weights between the layouts of `conv_lstm` and `plain_lstm`.

`conv_lstm` has one kernel for input and hidden map side by side, and gates in the order forget,
input, output, cell input. `plain_lstm` has two kernels, and gates in the order input, forget,
output, cell input.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

CellWeights = Mapping[str, Tensor]

CONV_LSTM = frozenset({"gates.weight", "gates.bias"})
PLAIN_LSTM = frozenset(
    {"input_transform.weight", "input_transform.bias", "hidden_transform.weight"}
)


def conv_lstm_from_plain(weights: CellWeights) -> dict[str, Tensor]:
    """State of the `conv_lstm` cell that computes what a `plain_lstm` of these weights does.

    Raises:
        ValueError: If these are not the weights of a `plain_lstm`.
    """
    _check_names(weights, PLAIN_LSTM, "plain_lstm")
    kernels = [weights["input_transform.weight"], weights["hidden_transform.weight"]]
    return {
        "gates.weight": _swap_first_gates(torch.cat(kernels, dim=1)),
        "gates.bias": _swap_first_gates(weights["input_transform.bias"]),
    }


def plain_from_conv_lstm(weights: CellWeights) -> dict[str, Tensor]:
    """State of the `plain_lstm` cell that computes what a `conv_lstm` of these weights does.

    Raises:
        ValueError: If these are not the weights of a `conv_lstm` without depth-wise convolution,
            for which the other layout has no place.
    """
    _check_names(weights, CONV_LSTM, "conv_lstm without depth-wise convolution")
    of_input, of_hidden = _swap_first_gates(weights["gates.weight"]).chunk(2, dim=1)
    return {
        "input_transform.weight": of_input.contiguous(),
        "input_transform.bias": _swap_first_gates(weights["gates.bias"]),
        "hidden_transform.weight": of_hidden.contiguous(),
    }


def _swap_first_gates(gates: Float[Tensor, "gates ..."]) -> Float[Tensor, "gates ..."]:
    first, second, *others = gates.chunk(4)
    return torch.cat([second, first, *others])


def _check_names(weights: CellWeights, wanted: frozenset[str], what: str) -> None:
    if weights.keys() != wanted:
        raise ValueError(
            f"these weights are not those of a {what}: it has {', '.join(sorted(wanted))}, "
            f"but found are {', '.join(sorted(weights)) or 'none'}"
        )
