"""The state-space cell against differential equations solved in other ways."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import gelu, layer_norm

from etram_pipeline.models.cells.s5 import S5, Config

DIM = 6


def make(**settings: object) -> S5:
    cell = Config.model_validate({"bandlimit": None} | settings).build(DIM).double()
    assert isinstance(cell, S5)
    return cell


def system(cell: S5) -> tuple[Tensor, Tensor, Tensor]:
    """Complex rates, input and output matrices, each mode followed by its conjugate's."""
    rate = torch.complex(-cell.log_decay.exp(), cell.frequency) * cell.log_step.exp()
    step = cell.log_step.exp()[:, None]
    entering = torch.complex(*cell.from_input.chunk(2)) * step
    real, imag = cell.to_output.chunk(2, dim=1)
    leaving = torch.complex(real, -imag) / 2
    return (
        torch.cat([rate, rate.conj()]),
        torch.cat([entering, entering.conj()]),
        torch.cat([leaving, leaving.conj()], dim=1),
    )


def test_the_state_solves_its_differential_equation() -> None:
    cell, inputs = make(longest_step=0.3), torch.randn(3, DIM, dtype=torch.float64)
    with torch.no_grad():
        rate, entering, _ = system(cell)
        # One matrix exponential solves the system with its held input, which is a constant state.
        state = torch.zeros(len(rate), dtype=torch.complex128)
        for signal in layer_norm(inputs, [DIM]):
            joint = torch.zeros(len(rate) + 1, len(rate) + 1, dtype=torch.complex128)
            joint[:-1, :-1], joint[:-1, -1] = rate.diag(), entering @ (signal + 0j)
            one = torch.ones(1, dtype=torch.complex128)
            state = (torch.linalg.matrix_exp(joint) @ torch.cat([state, one]))[:-1]
        _, (kept,) = cell(inputs.view(3, 1, DIM, 1, 1), ())
    expected = torch.cat([state.real[: len(state) // 2], state.imag[: len(state) // 2]])
    torch.testing.assert_close(kept.flatten(), expected, rtol=0, atol=1e-10)


def test_outputs_are_what_the_equations_say() -> None:
    cell, inputs = make(), torch.randn(4, DIM, dtype=torch.float64)
    with torch.no_grad():
        outputs, _ = cell(inputs.view(4, 1, DIM, 1, 1), ())
        rate, entering, leaving = system(cell)
        kept, gain = rate.exp(), (rate.exp() - 1) / rate
        state = torch.zeros(len(rate), dtype=torch.complex128)
        for window, signal in enumerate(layer_norm(inputs, [DIM])):
            state = kept * state + gain * (entering @ (signal + 0j))
            seen = leaving @ state
            # Conjugate pairs leave nothing imaginary.
            assert seen.imag.abs().max() < 1e-12
            y = layer_norm(gelu(seen.real + cell.feedthrough * signal) + signal, [DIM])
            values, gates = (cell.gate_input.weight @ y).chunk(2)
            expected = cell.gate_output.weight @ (values * gelu(gates)) + y
            torch.testing.assert_close(outputs[window].flatten(), expected, rtol=0, atol=1e-10)


def test_windows_half_as_far_apart_need_twice_as_many() -> None:
    cell = Config().build(DIM)
    frame = torch.randn(1, 2, DIM, 3, 4)
    with torch.no_grad():
        outputs, (kept,) = cell(frame.repeat(8, 1, 1, 1, 1), ())
        cell.rescale_time(0.5)
        denser_outputs, (denser_kept,) = cell(frame.repeat(16, 1, 1, 1, 1), ())
    torch.testing.assert_close(denser_kept, kept, rtol=0, atol=1e-5)
    torch.testing.assert_close(denser_outputs[1::2], outputs, rtol=0, atol=1e-5)
    assert (denser_outputs[:8] - outputs).abs().max() > 1e-2


def test_the_factor_is_relative_to_training_and_not_kept_in_weights() -> None:
    cell, maps = make(), torch.randn(3, 1, DIM, 2, 2, dtype=torch.float64)
    names = cell.state_dict().keys()
    with torch.no_grad():
        before = cell(maps, ())
        cell.rescale_time(0.5)
        cell.rescale_time(1.0)
        torch.testing.assert_close(cell(maps, ()), before, rtol=0, atol=0)
    assert cell.state_dict().keys() == names
    for factor in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="must be a positive number, not"):
            cell.rescale_time(factor)


def test_modes_that_windows_cannot_show_stay_out_of_the_output() -> None:
    cell, maps = make(num_modes=2, bandlimit=0.5), torch.randn(3, 1, DIM, 2, 2).double()

    def reaches_output(mode: int) -> bool:
        with torch.no_grad():
            before, _ = cell(maps, ())
            cell.to_output[:, mode::2] += 1
            after, _ = cell(maps, ())
            cell.to_output[:, mode::2] -= 1
        return not torch.allclose(before, after, rtol=0, atol=1e-6)

    with torch.no_grad():
        cell.log_step.zero_()
        # A quarter of a turn per window is the limit.
        cell.frequency.copy_(2 * math.pi * torch.tensor([0.15, 0.26]))
    assert [reaches_output(mode) for mode in (0, 1)] == [True, False]
    cell.rescale_time(2.0)
    assert [reaches_output(mode) for mode in (0, 1)] == [False, False]
    # What was left out in training has learnt nothing, though denser windows could show it.
    cell.rescale_time(0.5)
    assert [reaches_output(mode) for mode in (0, 1)] == [True, False]


def test_the_state_never_grows_without_bounds() -> None:
    cell = Config(longest_step=10, shortest_step=10).build(DIM)
    with torch.no_grad():
        cell.log_decay.sub_(5)
        _, (kept,) = cell(torch.randn(200, 1, DIM, 1, 1), ())
        _, (later,) = cell(torch.zeros(2000, 1, DIM, 1, 1), (kept,))
    assert kept.isfinite().all()
    assert later.abs().max() < kept.abs().max()


def test_mixed_precision_leaves_the_system_exact() -> None:
    cell, maps = Config().build(DIM), torch.randn(20, 1, DIM, 2, 2).bfloat16()
    with torch.no_grad():
        _, (exact,) = cell(maps.float(), ())
        with torch.autocast("cpu", torch.bfloat16):
            _, (kept,) = cell(maps, ())
    assert torch.equal(kept, exact)


def test_steps_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="more than longest_step"):
        Config(shortest_step=1, longest_step=0.1)
