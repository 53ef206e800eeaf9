"""What a learner is compared with, place by place."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from etram_pipeline.models.agreement import (
    attention_apart,
    boxes_apart,
    pair_levels,
    probabilities_apart,
)
from etram_pipeline.models.comparable import Seen
from etram_pipeline.models.predictions import AnchorGrid, Predictions

NUM_CLASSES = 2


def seen(
    size: tuple[int, int] = (32, 48),
    strides: tuple[int, ...] = (8, 16),
    *,
    multiple: int = 16,
    num_images: int = 2,
) -> Seen:
    """Random maps and predictions of a network that pads images of `size` to a multiple."""
    padded = [-(-side // multiple) * multiple for side in size]
    cells = [(padded[0] // stride, padded[1] // stride) for stride in strides]
    anchors = AnchorGrid.over(cells, strides, like=torch.zeros(()))
    shape = (num_images, len(anchors.strides))
    centres = anchors.centres_xy + 4 * torch.rand(*shape, 2)
    predictions = Predictions(
        torch.cat([centres, 20 * (0.5 + torch.rand(*shape, 2))], -1).requires_grad_(),
        torch.randn(shape, requires_grad=True),
        torch.randn(*shape, NUM_CLASSES, requires_grad=True),
        anchors,
    )
    maps = tuple(torch.randn(num_images, 3 + i, *side) for i, side in enumerate(cells))
    return Seen(size, predictions, tuple(each.requires_grad_() for each in maps))


def leaves(of: Seen) -> list[Tensor]:
    made = of.predictions
    return [made.boxes_cxcywh, made.objectness_logits, made.class_logits, *of.maps]


def cells(of: Seen, level: int) -> list[tuple[int, float, float]]:
    """Anchor, and centre as shares of the frame, of every cell of a level."""
    levels = of.levels
    first = sum(each.height * each.width for each in levels[:level])
    height, width, stride = levels[level]
    return [
        (
            first + row * width + column,
            (row + 0.5) * stride / of.size[0],
            (column + 0.5) * stride / of.size[1],
        )
        for row, column in product(range(height), range(width))
    ]


def between(
    values: Tensor, level: tuple[int, int, int], size: tuple[int, int], y: float, x: float
) -> Tensor:
    """Values (rows, columns, n) of a map at a place given as shares of the frame: bilinear."""
    height, width, stride = level
    row = min(max(y * size[0] / stride - 0.5, 0), height - 1)
    column = min(max(x * size[1] / stride - 0.5, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    found = torch.zeros(values.shape[-1])
    for i, j in product((0, 1), (0, 1)):
        share = (1 - abs(row - top - i)) * (1 - abs(column - left - j))
        found += share * values[min(top + i, height - 1), min(left + j, width - 1)]
    return found


@pytest.mark.parametrize(
    ("size", "strides", "pairs"),
    [
        ((32, 48), (8, 16), [(0, 0), (1, 1)]),
        ((64, 96), (8, 16, 32), [(0, 0), (0, 1), (1, 2)]),
        ((48, 72), (8, 16), [(0, 0), (0, 1)]),  # cells of 5.3 and 10.7 px of the learner's image
        ((16, 24), (8, 16), [(1, 0), (1, 1)]),
        ((32, 48), (4, 8, 16, 32), [(0, 0), (0, 1), (1, 2), (1, 3)]),
    ],
)
def test_a_level_is_compared_with_that_of_the_nearest_cells_in_the_frame(
    size: tuple[int, int], strides: tuple[int, ...], pairs: list[tuple[int, int]]
) -> None:
    assert pair_levels(seen(), seen(size, strides, multiple=8)) == pairs


def test_one_who_is_the_teacher_has_nothing_to_learn() -> None:
    same = seen()
    objectness, classes = probabilities_apart(same, same)
    boxes, num_sure = boxes_apart(same, same, threshold=0.0)
    attention = attention_apart(same, same)
    for loss in (objectness, classes, boxes, attention):
        assert loss.detach().abs() < 1e-6
    (objectness + classes + boxes + attention).backward()
    for leaf in leaves(same):
        assert leaf.grad is not None
        assert leaf.grad.abs().max() < 1e-6
    assert num_sure == 2 * (4 * 6 + 2 * 3)


@pytest.mark.parametrize(
    "teacher",
    [
        seen(),
        seen((64, 96), (8, 16, 32), multiple=32),
        seen((40, 60), (4, 8, 16), multiple=32),
    ],
)
def test_a_teacher_has_no_gradient_and_a_learner_learns(teacher: Seen) -> None:
    learner = seen()
    losses = [
        *probabilities_apart(learner, teacher),
        boxes_apart(learner, teacher, threshold=0.1)[0],
        attention_apart(learner, teacher),
    ]
    assert all(loss > 0.01 for loss in losses)
    torch.stack(losses).sum().backward()
    assert all(leaf.grad is None for leaf in leaves(teacher))
    for leaf in leaves(learner):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert leaf.grad.abs().max() > 0


@pytest.mark.parametrize(
    "teacher",
    [
        seen(strides=(8,)),
        seen((48, 72), (8, 32), multiple=32),  # padded to 64 x 96
        seen((20, 30), (8,), multiple=8),  # fewer cells than the learner has, padded to 24 x 32
    ],
)
@pytest.mark.parametrize("margin", [0.0, 0.2])
@torch.no_grad()
def test_probabilities_are_those_at_the_same_place_and_count_as_much_as_the_teacher_is_sure(
    teacher: Seen, margin: float
) -> None:
    learner = seen()
    sums, total = torch.zeros(2), 0.0
    for own, other in pair_levels(learner, teacher):
        height, width, _ = teacher.levels[other]
        anchors = [anchor for anchor, *_ in cells(teacher, other)]
        made = teacher.predictions
        for image, (anchor, y, x) in product(range(2), cells(learner, own)):
            given = torch.cat(
                [made.objectness_logits[image, anchors, None], made.class_logits[image, anchors]], 1
            )
            grid = given.sigmoid().view(height, width, -1)
            p = between(grid, teacher.levels[other], teacher.size, y, x)
            q = torch.cat(
                [
                    learner.predictions.objectness_logits[image, anchor, None],
                    learner.predictions.class_logits[image, anchor],
                ]
            ).sigmoid()
            divergence = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
            divergence[(p - q).abs() <= margin] = 0
            score = float(p[0] * p[1:].max())
            sums += score * torch.stack([divergence[0], divergence[1:].sum()])
            total += score
    assert total > 1
    found = torch.stack(probabilities_apart(learner, teacher, margin))
    torch.testing.assert_close(found, sums / total, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_a_teacher_that_is_as_sure_as_single_precision_allows_is_no_infinitely_far_away(
    margin: float,
) -> None:
    learner, teacher = seen(), seen((40, 70))  # interpolation between these rounds above 1
    for logits in (teacher.predictions.objectness_logits, teacher.predictions.class_logits):
        logits.fill_(20)
    found = torch.stack(probabilities_apart(learner, teacher, margin))
    assert found.isfinite().all()
    assert found.min() > 0


@torch.no_grad()
def test_boxes_of_the_nearest_cells_count_where_the_teacher_is_sure() -> None:
    learner, teacher = seen(strides=(16,)), seen((96, 144), (16,), multiple=48)
    # Three cells of the teacher lie along each side of the learner's; the middle one is nearest.
    distance, total, number = 0.0, 0.0, 0
    columns = teacher.levels[0].width
    made = teacher.predictions
    for image, (row, column) in product(range(2), product(range(2), range(3))):
        place = (3 * row + 1) * columns + 3 * column + 1
        classes = made.class_logits[image, place].sigmoid()
        score = float(made.objectness_logits[image, place].sigmoid() * classes.max())
        if score <= 0.3:
            continue
        (x, y, w, h), (a, b, c, d) = (
            (of.predictions.boxes_cxcywh[image, anchor] / of.size[0]).tolist()
            for of, anchor in ((learner, row * 3 + column), (teacher, place))
        )
        across = max(min(x + w / 2, a + c / 2) - max(x - w / 2, a - c / 2), 0)
        down = max(min(y + h / 2, b + d / 2) - max(y - h / 2, b - d / 2), 0)
        overlap = across * down / (w * h + c * d - across * down)
        distance += score * (1 - overlap**2)
        total, number = total + score, number + 1
    assert 1 < total < number < 12
    found, num_sure = boxes_apart(learner, teacher, threshold=0.3)
    assert float(found) == pytest.approx(distance / total, rel=1e-4)
    assert num_sure == number


@torch.no_grad()
def test_teachers_that_see_nothing_teach_next_to_nothing() -> None:
    learner, teacher = seen(), seen()
    teacher.predictions.objectness_logits.fill_(-20)
    assert all(loss < 1e-4 for loss in probabilities_apart(learner, teacher))
    distance, num_sure = boxes_apart(learner, teacher, threshold=0.1)
    assert distance == num_sure == 0


@torch.no_grad()
def test_attention_is_the_share_of_the_squares_at_each_place() -> None:
    learner, teacher = seen(strides=(16,)), seen(strides=(16,))
    distances = []
    for image in range(2):
        shares = []
        for maps in (learner.maps[0][image], teacher.maps[0][image]):
            squares = [[float((maps[:, i, j] ** 2).mean()) for j in range(3)] for i in range(2)]
            norm = math.sqrt(sum(value**2 for row in squares for value in row))
            shares.append([value / norm for row in squares for value in row])
        distances.append(sum((a - b) ** 2 for a, b in zip(*shares, strict=True)))
    found = attention_apart(learner, teacher)
    assert float(found) == pytest.approx(sum(distances) / 2, rel=1e-5)
    louder = Seen(teacher.size, teacher.predictions, tuple(3 * maps for maps in teacher.maps))
    torch.testing.assert_close(attention_apart(learner, louder), found)


@torch.no_grad()
def test_a_larger_map_of_the_same_attention_is_no_further_away() -> None:
    learner, teacher = seen(strides=(16,)), seen((64, 96), (16,))
    blocks = tuple(maps.repeat_interleave(2, -1).repeat_interleave(2, -2) for maps in learner.maps)
    same = Seen(teacher.size, teacher.predictions, blocks)
    assert attention_apart(learner, same) < 1e-6
    assert attention_apart(learner, teacher) > 1e-2
