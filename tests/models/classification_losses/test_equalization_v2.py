import math
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.auxiliaries import small_objects
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.classification_losses.equalization_v2 import Config
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.losses import yolox

Step = tuple[Tensor, Tensor, Tensor]


def make_steps(num_steps: int) -> list[Step]:
    """Logits, classes and overlaps of a few anchors of four classes, the last of them rare."""
    chance = torch.tensor([0.6, 0.25, 0.14, 0.01])
    return [
        (torch.randn(9, 4), torch.multinomial(chance, 9, replacement=True), torch.rand(9))
        for _ in range(num_steps)
    ]


def follow_the_paper(steps: list[Step], gamma: float, mu: float, alpha: float) -> list[float]:
    """Losses of each step, one anchor and class after the other."""
    num_classes = steps[0][0].shape[1]
    positive, negative = [0.0] * num_classes, [0.0] * num_classes
    losses = []
    for logits, class_ids, ious in steps:
        weights = []
        for g, h in zip(positive, negative, strict=True):
            ratio = g / h if h else 100.0
            f = 1 / (1 + math.exp(-gamma * (ratio - mu))) if gamma * (ratio - mu) > -700 else 0.0
            weights.append((1 + alpha * (1 - f), f))
        total = 0.0
        for row, own, overlap in zip(
            logits.tolist(), class_ids.tolist(), ious.tolist(), strict=True
        ):
            for c, logit in enumerate(row):
                p = 1 / (1 + math.exp(-logit))
                wanted = overlap if c == own else 0.0
                weight = weights[c][0] if c == own else weights[c][1]
                total -= weight * (wanted * math.log(p) + (1 - wanted) * math.log(1 - p))
                received = positive if c == own else negative
                received[c] += weight * abs(p - wanted)
        losses.append(total)
    return losses


@pytest.mark.parametrize(
    ("gamma", "mu", "alpha"), [(12.0, 0.8, 4.0), (3.0, 0.2, 1.0), (12.0, 0.8, 0.0)]
)
def test_weights_follow_the_gradients_so_far(gamma: float, mu: float, alpha: float) -> None:
    steps = make_steps(12)
    loss = Config(gamma=gamma, mu=mu, alpha=alpha).build(4).train()
    found = [loss(*step).item() for step in steps]
    assert found == pytest.approx(follow_the_paper(steps, gamma, mu, alpha), rel=1e-4)


def test_defaults_are_those_of_the_paper() -> None:
    assert (Config().gamma, Config().mu, Config().alpha) == (12, 0.8, 4)


def test_the_gradient_is_the_weighed_one() -> None:
    steps = make_steps(3)
    loss = Config().build(4).train()
    for step in steps[:2]:
        loss(*step)
    positive, negative = loss.positive_gradients.clone(), loss.negative_gradients.clone()
    f = 1 / (1 + torch.exp(-12 * (positive / negative - 0.8)))
    logits, class_ids, ious = steps[2]
    learnt = logits.clone().requires_grad_()
    loss(learnt, class_ids, ious).backward()
    for anchor in range(9):
        for c in range(4):
            is_own = int(class_ids[anchor]) == c
            wanted = ious[anchor] if is_own else 0
            weight = 1 + 4 * (1 - f[c]) if is_own else f[c]
            expected = weight * (logits[anchor, c].sigmoid() - wanted)
            assert learnt.grad is not None
            torch.testing.assert_close(learnt.grad[anchor, c], expected)


def test_a_rare_class_comes_to_weigh_more() -> None:
    loss = Config().build(2).train()
    logits, ious = torch.zeros(10, 2), torch.full((10,), 0.9)
    class_ids = torch.tensor([0] * 9 + [1])
    rare, frequent = [], []
    for _ in range(3):
        learnt = logits.clone().requires_grad_()
        loss(learnt, class_ids, ious).backward()
        assert learnt.grad is not None
        rare.append(learnt.grad[9, 1].abs().item())
        frequent.append(learnt.grad[0, 0].abs().item())
    assert rare[0] == frequent[0]
    assert rare[2] > 4 * frequent[2]


def test_only_training_counts() -> None:
    loss = Config().build(4)
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    [step] = make_steps(1)
    loss.eval()(*step)
    with torch.no_grad():
        loss.train()(*step)
    torch.testing.assert_close(dict(loss.state_dict()), before, rtol=0, atol=0)
    loss.train()(*step)
    assert loss.positive_gradients.sum() > 0


def test_goes_on_bit_by_bit_from_what_a_checkpoint_holds() -> None:
    steps = make_steps(6)
    straight = Config().build(4).train()
    expected = [straight(*step) for step in steps]
    stopped, resumed = Config().build(4).train(), Config().build(4).train()
    for step in steps[:3]:
        stopped(*step)
    assert set(stopped.state_dict()) == {"positive_gradients", "negative_gradients"}
    resumed.load_state_dict(stopped.state_dict())
    assert [resumed(*step) for step in steps[3:]] == expected[3:]


def test_works_in_double_precision_and_without_anchors() -> None:
    loss = Config().build(4).double().train()
    none = torch.zeros(0, dtype=torch.int64)
    assert loss(torch.zeros(0, 4).double(), none, torch.zeros(0).double()) == 0
    logits, class_ids, ious = make_steps(1)[0]
    assert loss(logits.double(), class_ids, ious.double()).dtype == torch.float64


def run_rank(rank: int, folder: Path, steps: list[Step]) -> None:
    """Half of the anchors of each step, then a step of a detector without keyframe in rank 1."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    loss = Config().build(4).train()
    for logits, class_ids, ious in steps:
        loss(logits[rank::2], class_ids[rank::2], ious[rank::2])
    settings = yolox.Config(classification=Config())
    attention = AttentionSettings(dim_head=4)
    detector = rvt.Config(
        backbone=maxvit.Config(embed_dim=8, attention=attention),
        loss=settings,
        auxiliary=small_objects.Config(loss=settings),
    ).build(4, 4)
    found = Targets(torch.tensor([[4.0, 6.0, 30.0, 28.0]]), torch.tensor([1]))
    batch = SequenceBatch(
        frames=torch.ones(1, 1, 4, 64, 64),
        starts=torch.tensor([True]),
        keyframes=torch.zeros(1 - rank, 2, dtype=torch.int64),
        targets=(found,) * (1 - rank),
    )
    detector.train().losses(batch, ())
    helped = detector.auxiliary.get_submodule("loss.classification")
    losses = (loss, detector.get_submodule("loss.classification"), helped)
    torch.save([part.state_dict() for part in losses], folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return make_steps(3)


@pytest.fixture(scope="module")
def ranks(
    steps: list[Step], tmp_path_factory: pytest.TempPathFactory
) -> list[list[dict[str, Tensor]]]:
    """What three losses hold in each of two processes: one by itself, two of a detector."""
    folder = tmp_path_factory.mktemp("ranks")
    fork = get_context("fork")  # so that nothing has to be imported again
    processes = [fork.Process(target=run_rank, args=(rank, folder, steps)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_processes_add_up_their_gradients(
    steps: list[Step], ranks: list[list[dict[str, Tensor]]]
) -> None:
    alone = Config().build(4).train()
    for step in steps:
        alone(*step)
    for losses in ranks:
        torch.testing.assert_close(losses[0], dict(alone.state_dict()))


def test_a_process_without_keyframe_hears_of_the_gradients_of_others(
    ranks: list[list[dict[str, Tensor]]],
) -> None:
    with_keyframe, without = ranks
    for index in (1, 2):
        assert with_keyframe[index]["positive_gradients"][1] > 0
        torch.testing.assert_close(without[index], with_keyframe[index], rtol=0, atol=0)
