import math

import numpy as np
import torch

from etram_pipeline.models.state_space import draw_log_steps, hippo_modes, hold_input, scan


def test_modes_are_those_of_the_normal_part_of_legs() -> None:
    size = 12
    legs = np.zeros((size, size))
    for row in range(size):
        for column in range(row + 1):
            legs[row, column] = -math.sqrt(2 * row + 1) * math.sqrt(2 * column + 1)
        legs[row, row] = -(row + 1)
    low_rank = np.sqrt(np.arange(size) + 0.5)
    normal = legs + np.outer(low_rank, low_rank)
    frequencies, vectors = hippo_modes(size // 2)
    rates = -0.5 + 1j * frequencies.numpy()
    assert (frequencies > 0).all()
    np.testing.assert_allclose(normal @ vectors.numpy(), vectors.numpy() * rates, atol=1e-10)
    expected = np.linalg.eigvals(normal)
    np.testing.assert_allclose(expected.real, -0.5, atol=1e-10)
    np.testing.assert_allclose(
        np.sort(np.concatenate([rates, rates.conj()]).imag), np.sort(expected.imag), atol=1e-10
    )


def test_modes_and_their_conjugates_span_everything() -> None:
    _, vectors = hippo_modes(4)
    both = torch.cat([vectors, vectors.conj()], dim=1)
    torch.testing.assert_close(both @ both.mH, torch.eye(8) + 0j, check_dtype=False)


def test_holding_an_input_is_exact_for_short_steps_too() -> None:
    rate = torch.complex(torch.tensor([-0.5, -2.0, -1e-3]), torch.tensor([0.3, 40.0, 0.0]))
    step = torch.tensor([1e-4, 0.1, 3.0])
    kept, gain = hold_input((rate.real, rate.imag), step)
    exact = (rate.to(torch.complex128) * step.double()).exp()
    exact_gain = (exact - 1) / rate.to(torch.complex128)
    for found, wanted in ((kept, exact), (gain, exact_gain)):
        complex_found = torch.complex(*found).to(torch.complex128)
        assert ((complex_found - wanted).abs() / wanted.abs()).max() < 1e-6


def test_a_scan_is_the_sum_of_all_inputs_decayed() -> None:
    kept = torch.complex(torch.randn(3), torch.randn(3)).to(torch.complex128) * 0.5
    inputs = torch.randn(6, 2, 3, dtype=torch.complex128)
    state = torch.randn(2, 3, dtype=torch.complex128)
    reals, imags = scan(
        (kept.real, kept.imag), (inputs.real, inputs.imag), (state.real, state.imag)
    )
    for window in range(6):
        expected = kept ** (window + 1) * state
        for earlier in range(window + 1):
            expected = expected + kept ** (window - earlier) * inputs[earlier]
        found = torch.complex(reals[window], imags[window])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_steps_are_spread_over_orders_of_magnitude() -> None:
    steps = draw_log_steps(4000, 0.001, 0.1).exp()
    assert 0.001 <= steps.min() < 0.0011
    assert 0.09 < steps.max() <= 0.1
    assert abs((steps < 0.01).float().mean() - 0.5) < 0.05
