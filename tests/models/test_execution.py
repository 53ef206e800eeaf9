"""Executions differ in speed and memory, and in nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.component import kinds
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.cells import CellConfig, conv_lstm
from etram_pipeline.models.detector import State, total_loss
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.execution import Execution

MakeBatch = Callable[..., SequenceBatch]

CELLS: list[dict[str, object]] = [{"kind": kind} for kind in kinds("etram_pipeline.models.cells")]
CELLS += [
    {"kind": "conv_lstm", "depthwise": mixed, "kernel_size": size}
    for mixed, size in (("hidden", 3), ("input_and_hidden", 5))
]

STEPS, STAGES = Execution(order="steps"), Execution(order="stages")
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-5}

MAGNIFICATION = 5
"""Of rounding on the way back through batch normalisation over a dozen cells."""


@dataclass
class Outcome:
    """What training on two batches in a row comes to, by name."""

    numbers: dict[str, Tensor]
    gradients: dict[str, Tensor]

    def assert_close(self, other: "Outcome", tolerance: float) -> None:
        for name, ours in self.numbers.items():
            assert (ours - other.numbers[name]).norm() <= tolerance * ours.norm(), name
        assert self.numbers.keys() == other.numbers.keys()
        assert self.gradients.keys() == other.gradients.keys()
        # Some gradients are zero but for rounding, so that the longest ones are the measure.
        longest = torch.stack([gradient.norm() for gradient in self.gradients.values()]).max()
        for name, ours in self.gradients.items():
            difference = (ours - other.gradients[name]).norm()
            assert difference <= MAGNIFICATION * tolerance * longest, name


@pytest.fixture(params=CELLS, ids=str)
def with_any_cell(request: pytest.FixtureRequest, config: rvt.Config) -> rvt.RVT:
    """A small detector with the cell, ready to train."""
    cell = CellConfig.model_validate(request.param)
    return config.model_copy(update={"cell": cell}).build(4, 3).train()


@pytest.fixture
def batches(make_batch: MakeBatch) -> tuple[SequenceBatch, SequenceBatch]:
    """A clip and the next one, of a size that needs padding; one lane starts anew in between."""
    shape = {"num_windows": 3, "height": 60, "width": 100}
    first = make_batch(**shape, keyframes=((0, 1), (2, 0)))
    return first, make_batch(**shape, keyframes=((1, 0), (1, 1)), starts=(False, True))


def train_on(
    detector: rvt.RVT, batches: tuple[SequenceBatch, ...], execution: Execution
) -> Outcome:
    """Losses, gradients and memory of two clips in a row, without a step."""
    torch.manual_seed(1)
    detector.zero_grad()
    detector.execute_with(execution)
    dtype = next(detector.parameters()).dtype
    state: State = ()
    numbers: dict[str, Tensor] = {}
    for index, batch in enumerate(batches):
        clip = replace(batch, frames=batch.frames.to(dtype))
        losses, state = detector.losses(clip, tuple(memory.detach() for memory in state))
        total_loss(losses).backward()
        numbers |= {f"{name} of clip {index}": loss.detach() for name, loss in losses.items()}
        numbers |= {f"memory {i} after clip {index}": m.detach() for i, m in enumerate(state)}
    learnt = {name: weight.grad for name, weight in detector.named_parameters()}
    return Outcome(numbers, {name: g.clone() for name, g in learnt.items() if g is not None})


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_both_orders_train_alike(
    with_any_cell: rvt.RVT, batches: tuple[SequenceBatch, ...], dtype: torch.dtype
) -> None:
    detector = with_any_cell.to(dtype)
    by_steps, by_stages = (train_on(detector, batches, order) for order in (STEPS, STAGES))
    by_steps.assert_close(by_stages, TOLERANCE[dtype])


def test_both_orders_see_alike(with_any_cell: rvt.RVT, batches: tuple[SequenceBatch, ...]) -> None:
    detector, seen = with_any_cell.eval(), []
    for execution in (STEPS, STAGES):
        detector.execute_with(execution)
        with torch.no_grad():
            before, state = detector(batches[0].frames)
            after, state = detector(batches[1].frames, state)
        seen.append([before, after, *state])
    for by_steps, by_stages in zip(*seen, strict=True):
        torch.testing.assert_close(by_steps, by_stages, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", ["steps", "stages"])
def test_what_is_computed_twice_comes_out_the_same(
    with_any_cell: rvt.RVT, batches: tuple[SequenceBatch, ...], order: str
) -> None:
    kept, again = (
        Execution.model_validate({"order": order, "checkpoint_activations": computed_twice})
        for computed_twice in (False, True)
    )
    expected = train_on(with_any_cell, batches, kept)
    expected.assert_close(train_on(with_any_cell, batches, again), 1e-6)


def test_random_dropout_is_the_same_when_computed_twice(
    config: rvt.Config, batches: tuple[SequenceBatch, ...]
) -> None:
    cell = CellConfig.model_validate({"kind": "conv_lstm", "cell_input_dropout": 0.5})
    detector = config.model_copy(update={"cell": cell}).build(4, 3).train()
    again = STEPS.model_copy(update={"checkpoint_activations": True})
    expected = train_on(detector, batches, STEPS)
    expected.assert_close(train_on(detector, batches, again), 1e-6)


@pytest.mark.parametrize("order", ["steps", "stages"])
def test_computing_twice_keeps_less(config: rvt.Config, make_batch: MakeBatch, order: str) -> None:
    batch, detector = make_batch(num_windows=6), config.build(4, 3).train()
    kept = []
    for computed_twice in (False, True):
        chosen = {"order": order, "checkpoint_activations": computed_twice}
        detector.execute_with(Execution.model_validate(chosen))
        kept.append(bytes_kept(detector, batch))
    assert kept[1] < 0.5 * kept[0]


def bytes_kept(detector: rvt.RVT, batch: SequenceBatch) -> int:
    """Memory of all tensors that the way back through the backbone needs, weights aside."""
    weights = {weight.untyped_storage().data_ptr() for weight in detector.parameters()}
    sizes: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        output = detector.backbone(batch.frames, ())
    assert output[0][0].requires_grad
    return sum(sizes.values())


@pytest.mark.parametrize(
    ("device", "dtype", "megabytes", "order"),
    [
        ("cuda", torch.float32, 1000, "stages"),
        ("cpu", torch.float32, 1, "stages"),
        ("cpu", torch.float32, 13, "steps"),
        ("cpu", torch.float64, 1, "steps"),
        ("cpu", torch.bfloat16, 13, "stages"),
        ("cpu", torch.bfloat16, 1000, "steps"),
    ],
)
def test_a_device_has_its_order(
    device: str, dtype: torch.dtype, megabytes: int, order: str
) -> None:
    widest_bytes = megabytes * 2**20
    expected = {"auto": order, "steps": "steps", "stages": "stages"}
    for chosen, found in expected.items():
        execution = Execution.model_validate({"order": chosen})
        ordered = execution.order_for(device, item_bytes=dtype.itemsize, widest_bytes=widest_bytes)
        assert ordered == found


# 3 windows of 16 x 16 cells with 16384 values of two bytes each are 24 MiB.
@pytest.mark.parametrize(("num_values", "passes"), [(16384, 1), (16388, 3)])
def test_half_precision_passes_once_while_maps_are_small(num_values: int, passes: int) -> None:
    attention = AttentionSettings(dim_head=4, mlp_ratio=num_values / 4)
    config = maxvit.Config(embed_dim=4, dim_multipliers=(1,), num_blocks=(1,), attention=attention)
    backbone = config.build(2, conv_lstm.Config())
    seen: list[object] = []
    backbone.stages[0].register_forward_hook(lambda *_: seen.append(None))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        backbone(torch.zeros(3, 1, 2, 64, 64, dtype=torch.uint8), ())
    assert len(seen) == passes


def test_compiling_keeps_the_names_of_weights(config: rvt.Config) -> None:
    detector = config.build(4, 3)
    names = list(detector.state_dict())
    detector.execute_with(Execution(compile=True))
    assert list(detector.state_dict()) == names


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_compiled_detectors_train_alike(
    config: rvt.Config, batches: tuple[SequenceBatch, ...]
) -> None:
    detector = config.build(4, 3).train()
    expected = train_on(detector, batches, STEPS)
    found = train_on(detector, batches, STEPS.model_copy(update={"compile": True}))
    expected.assert_close(found, 1e-5)
