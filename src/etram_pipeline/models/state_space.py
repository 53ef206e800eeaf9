"""Diagonal linear systems in continuous time: where they start, and how they step."""

import math

import torch
from jaxtyping import Complex128, Float, Float64
from torch import Tensor

Modes = tuple[Float[Tensor, " P"], Float[Tensor, " P"]]
"""Real and imaginary part of a number per mode: complex tensors cannot be compiled."""


def hippo_modes(num_modes: int) -> tuple[Float64[Tensor, " P"], Complex128[Tensor, "N P"]]:
    """Frequencies and eigenvectors of HiPPO-N, the normal part of the HiPPO-LegS matrix.

    All its modes decay at the rate 1/2. They come in conjugate pairs, of which those with positive
    frequency are returned; the others follow from them.

    Source: Smith et al., "Simplified State Space Layers for Sequence Modeling", ICLR 2023,
    appendix B.1.1; Gu et al., "HiPPO", NeurIPS 2020, theorem 2.

    Args:
        num_modes: Pairs of modes P; the matrix has twice as many rows N.

    Returns:
        Frequency of each mode in radian per unit of time, ascending, and its eigenvector.
    """
    order = torch.arange(2 * num_modes, dtype=torch.float64)
    scale = (2 * order + 1).sqrt()
    # LegS plus half the outer product of its input vector: -1/2 on the diagonal, else skew.
    skew = scale.outer(scale) / 2 * (order[None] - order[:, None]).sign()
    frequencies, vectors = torch.linalg.eigh(-1j * skew)
    return frequencies[num_modes:], vectors[:, num_modes:]


def hold_input(rate: Modes, step: Float[Tensor, " P"]) -> tuple[Modes, Modes]:
    """What a mode keeps over a step, and what it gains from an input of 1 held during it.

    Source: Smith et al., ICLR 2023, equation 6 (zero-order hold).

    Args:
        rate: Complex rate of each mode, with negative real part.
        step: Length of the step.

    Returns:
        `exp(rate * step)` and `(exp(rate * step) - 1) / rate`.
    """
    decay, angle = rate[0] * step, rate[1] * step
    growth = decay.exp()
    # exp(z) - 1 without the loss of digits for small z, which steps of a thousandth have.
    gain_real = decay.expm1() * angle.cos() - 2 * (angle / 2).sin() ** 2
    gain_imag = growth * angle.sin()
    norm = rate[0] ** 2 + rate[1] ** 2
    gain = (
        (gain_real * rate[0] + gain_imag * rate[1]) / norm,
        (gain_imag * rate[0] - gain_real * rate[1]) / norm,
    )
    return (growth * angle.cos(), growth * angle.sin()), gain


def scan(
    kept: Modes,
    inputs: tuple[Float[Tensor, "T pixels P"], Float[Tensor, "T pixels P"]],
    state: tuple[Float[Tensor, "pixels P"], Float[Tensor, "pixels P"]],
) -> tuple[Float[Tensor, "T pixels P"], Float[Tensor, "T pixels P"]]:
    """Real and imaginary part of `state = kept * state + input` after every input.

    One step after the other: on a CPU, a scan of logarithmic depth takes up to five times as
    long for clips of 5 and 21 windows.
    """
    real, imag = state
    minus_kept_imag = -kept[1]
    reals, imags = [], []
    for real_input, imag_input in zip(*inputs, strict=True):
        real, imag = (
            torch.addcmul(torch.addcmul(real_input, real, kept[0]), imag, minus_kept_imag),
            torch.addcmul(torch.addcmul(imag_input, real, kept[1]), imag, kept[0]),
        )
        reals.append(real)
        imags.append(imag)
    return torch.stack(reals), torch.stack(imags)


def draw_log_steps(num_modes: int, shortest: float, longest: float) -> Float[Tensor, " P"]:
    """Logarithms of random steps, as many in each order of magnitude."""
    return torch.empty(num_modes).uniform_(math.log(shortest), math.log(longest))
