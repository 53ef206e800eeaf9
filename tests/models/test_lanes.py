"""Lanes computed in threads of their own come to what they come to in one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.component import kinds
from etram_pipeline.models.backbones.maxvit import MaxViT
from etram_pipeline.models.cells import CellConfig
from etram_pipeline.models.detector import State
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.execution import Execution
from etram_pipeline.models.lanes import in_threads, num_groups

MakeBatch = Callable[..., SequenceBatch]

CELLS = kinds("etram_pipeline.models.cells")


def learn(
    detector: rvt.RVT, batches: list[SequenceBatch], threads: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Losses and memories of two clips in a row, and the gradients of both together."""
    torch.set_num_threads(threads)
    detector.zero_grad()
    numbers: dict[str, Tensor] = {}
    total = torch.zeros(())
    state: State = ()
    for index, batch in enumerate(batches):
        losses, state = detector.losses(batch, state)  # gradients flow through the memory, too
        total = total + torch.stack([v for k, v in losses.items() if "num_" not in k]).sum()
        numbers |= {f"{name} {index}": loss.detach() for name, loss in losses.items()}
        numbers |= {f"memory {i} {index}": memory.detach() for i, memory in enumerate(state)}
    total.backward()
    gradients = {n: w.grad.clone() for n, w in detector.named_parameters() if w.grad is not None}
    return numbers, gradients


def make_batches(make_batch: MakeBatch, dtype: torch.dtype) -> list[SequenceBatch]:
    """Two clips of three lanes, so that two threads have unequal shares."""
    made = [
        make_batch(keyframes=((0, 1), (1, 0), (1, 2)), starts=(True, True, True)),
        make_batch(keyframes=((1, 0), (1, 1)), starts=(False, True, False)),
    ]
    return [replace(batch, frames=batch.frames.to(dtype)) for batch in made]


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("twice", [False, True])
def test_threads_change_nothing_but_rounding(
    config: rvt.Config,
    make_batch: MakeBatch,
    kind: str,
    threads: int,
    twice: bool,  # noqa: FBT001
) -> None:
    cell = CellConfig.model_validate({"kind": kind})
    detector = config.model_copy(update={"cell": cell}).build(4, 3).train().double()
    detector.execute_with(Execution(checkpoint_activations=twice))
    batches = make_batches(make_batch, torch.float64)
    expected, found = (learn(detector, batches, number) for number in (1, threads))
    for ours, theirs in zip(expected, found, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            torch.testing.assert_close(theirs[name], value, rtol=1e-7, atol=1e-9, msg=name)


def test_the_same_number_of_threads_gives_the_same_bits(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    detector = config.build(4, 3).train()
    batches = make_batches(make_batch, torch.float32)
    (_, first), (_, second) = (learn(detector, batches, 3) for _ in range(2))
    assert all(torch.equal(gradient, second[name]) for name, gradient in first.items())


def test_weights_that_do_not_learn_get_no_gradient(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    detector = config.build(4, 3).train()
    for weight in detector.backbone.get_submodule("stages.0").parameters():
        weight.requires_grad = False
    batches = make_batches(make_batch, torch.float32)
    expected, found = (learn(detector, batches, number)[1] for number in (1, 2))
    assert expected.keys() == found.keys()
    for weight in detector.backbone.parameters():
        weight.requires_grad = False
    assert not any(name.startswith("backbone") for name in learn(detector, batches, 2)[1])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_detecting_in_threads_is_detecting(
    config: rvt.Config, make_batch: MakeBatch, mode: type[torch.no_grad | torch.inference_mode]
) -> None:
    detector = config.build(4, 3).eval()
    batch = make_batch(starts=(True, True, True))
    seen = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with mode():
            predictions, state = detector(batch.frames)
        assert not predictions.requires_grad
        assert predictions.is_inference() == (mode is torch.inference_mode)
        seen.append([predictions, *state])
    for alone, in_two in zip(*seen, strict=True):
        torch.testing.assert_close(in_two, alone, rtol=1e-5, atol=1e-5)


def test_threads_compute_in_the_precision_of_their_caller(config: rvt.Config) -> None:
    backbone = config.build(4, 3).backbone
    assert isinstance(backbone, MaxViT)
    torch.set_num_threads(2)
    frames = torch.zeros(1, 2, 4, 64, 64, dtype=torch.uint8)
    seen: list[torch.dtype] = []
    convolution = next(each for each in backbone.modules() if isinstance(each, nn.Conv2d))
    convolution.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        backbone(frames, ())
    backbone(frames, ())
    assert seen == [torch.bfloat16] * 2 + [torch.float32] * 2


def test_chance_runs_in_one_thread(config: rvt.Config) -> None:
    torch.set_num_threads(4)
    cell = CellConfig.model_validate({"kind": "conv_lstm", "cell_input_dropout": 0.5})
    detector = config.model_copy(update={"cell": cell}).build(4, 3)
    assert num_groups(detector.train(), 3) == 1
    assert num_groups(detector.eval(), 3) == 3
    assert num_groups(detector.eval(), 1) == 1


def test_an_error_in_a_thread_is_an_error_of_the_caller() -> None:
    def fail(number: int) -> None:
        raise ValueError(f"number {number}")

    with pytest.raises(ValueError, match="number 1"):
        in_threads(fail, [(1,), (2,)])
