import pytest
import torch
from torch.nn.functional import conv2d

from etram_pipeline.models.cells import conv_lstm
from etram_pipeline.models.cells.enhanced_lstm import Config, EnhancedLSTM

DIM = 6


def make(**settings: object) -> EnhancedLSTM:
    cell = Config.model_validate(settings).build(DIM).double()
    for layer in (cell.attend_input, cell.attend_hidden, cell.score, cell.enhance):
        torch.nn.init.normal_(layer.weight)
    for layer in (cell.fuse_hidden, cell.fuse_enhanced):
        torch.nn.init.normal_(layer.weight)
    return cell


@pytest.mark.parametrize("depthwise", ["none", "hidden"])
def test_the_hidden_map_is_corrected_as_the_equations_say(depthwise: str) -> None:
    cell = make(lstm={"depthwise": depthwise, "kernel_size": 5})
    maps = torch.randn(3, 2, DIM, 3, 4, dtype=torch.float64)
    outputs, (kept, kept_memory) = cell(maps, ())

    def at_pixels(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, layer.weight[:, :, None, None])

    hidden = memory = torch.zeros_like(maps[0])
    for window, x in enumerate(maps):
        before = hidden
        _, (hidden, memory) = cell.lstm(x[None], (hidden, memory))
        density = torch.sigmoid(at_pixels(cell.density, x))
        sparse = torch.sigmoid((0.3 - density) / 0.1)
        attending = at_pixels(cell.attend_input, x) + at_pixels(cell.attend_hidden, before)
        attention = torch.sigmoid(at_pixels(cell.score, attending.clamp(min=0)))
        enhanced = at_pixels(cell.enhance, hidden).clamp(min=0)
        fused = at_pixels(cell.fuse_hidden, hidden) + at_pixels(cell.fuse_enhanced, enhanced)
        hidden = hidden + sparse * attention * fused
        torch.testing.assert_close(outputs[window], hidden, rtol=0, atol=1e-12)
    torch.testing.assert_close((kept, kept_memory), (hidden, memory), rtol=0, atol=1e-12)


def test_the_density_learns_from_every_pixel_and_window() -> None:
    cell = make()
    maps = torch.randn(2, 1, DIM, 2, 2, dtype=torch.float64)
    shift = torch.zeros(2, 4, 1, dtype=torch.float64, requires_grad=True)
    cell.density.register_forward_hook(lambda _layer, _inputs, density: density + shift)
    outputs, _ = cell(maps, ())
    outputs.square().sum().backward()
    assert shift.grad is not None
    assert (shift.grad != 0).all()


def test_dense_pixels_are_not_corrected_and_sparse_ones_are() -> None:
    cell = make(density_temperature=0.01)
    maps = torch.zeros(1, 1, DIM, 1, 2, dtype=torch.float64)
    maps[..., 0, 0], maps[..., 0, 1] = 5, -5
    with torch.no_grad():
        cell.density.weight.fill_(1)
        outputs, _ = cell(maps, ())
        plain, _ = cell.lstm(maps, ())
    correction = (outputs - plain).abs().amax(dim=(0, 1, 2, 3))
    assert correction[0] < 1e-12
    assert correction[1] > 1e-3


def test_training_starts_close_to_rvts_lstm() -> None:
    cell = Config().build(DIM)
    maps = torch.randn(5, 1, DIM, 4, 4)
    with torch.no_grad():
        difference = cell(maps, ())[0] - cell.lstm(maps, ())[0]
    assert 0 < difference.abs().max() < 0.01


def test_it_has_about_an_eighth_more_weights_than_rvts_lstm() -> None:
    for dim, few in ((32, 4), (64, 4), (256, 12), (512, 25)):
        num, num_plain = (
            sum(weight.numel() for weight in config.build(dim).parameters())
            for config in (Config(), conv_lstm.Config())
        )
        assert num - num_plain == dim * dim + (4 * few + 1) * dim + few
        assert 0.12 < (num - num_plain) / num_plain < 0.2
