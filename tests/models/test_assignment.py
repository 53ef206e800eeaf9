import torch
from torch import Tensor

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.assignment import Assignment, PaddedTargets, SimOTA
from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.predictions import AnchorGrid, Predictions

ROWS, COLUMNS, STRIDE = 6, 8, 8


def predictions(num_images: int = 1, side: float = 16) -> Predictions:
    """Squares centred on every cell, all of the same confidence in two classes."""
    grid = AnchorGrid.over([(ROWS, COLUMNS)], [STRIDE], like=torch.zeros(1))
    boxes = torch.cat([grid.centres_xy, torch.full((ROWS * COLUMNS, 2), side)], dim=1)
    return Predictions(
        boxes_cxcywh=boxes.expand(num_images, -1, -1).contiguous(),
        objectness_logits=torch.zeros(num_images, ROWS * COLUMNS),
        class_logits=torch.zeros(num_images, ROWS * COLUMNS, 2),
        anchors=grid,
    )


def targets(*boxes_cxcywh: tuple[float, float, float, float], class_id: int = 0) -> Targets:
    boxes = cxcywh_to_xyxy(torch.tensor(boxes_cxcywh, dtype=torch.float32).view(-1, 4))
    return Targets(boxes, torch.full((len(boxes),), class_id))


def assign(predicted: Predictions, *wanted: Targets) -> Assignment:
    return SimOTA()(predicted, PaddedTargets.pad(wanted, torch.float32))


def anchor(row: int, column: int) -> int:
    return row * COLUMNS + column


def cells_of(assignment: Assignment, target: int, image: int = 0) -> list[int]:
    chosen: Tensor = (assignment.target[image] == target).nonzero().squeeze(1)
    return chosen.tolist()


def test_an_object_gets_as_many_anchors_as_its_overlaps_add_up_to() -> None:
    # On its own cell the overlap is 1; of squares shifted by a cell it is 8 / 24, or 4 / 28.
    assignment = assign(predictions(), targets((28, 20, 16, 16)))
    assert 1 + 4 * 8 / 24 + 4 * 4 / 28 < 3
    assert len(cells_of(assignment, 0)) == 2
    assert anchor(2, 3) in cells_of(assignment, 0)
    assert assignment.ious[0, anchor(2, 3)] == 1


def test_every_object_gets_at_least_one_anchor() -> None:
    assignment = assign(predictions(side=0.1), targets((28, 20, 16, 16)))
    assert len(cells_of(assignment, 0)) == 1


def test_candidates_lie_strictly_within_the_radius() -> None:
    # The centre is on a corner of cells, so that the third cell is exactly 1.5 strides away.
    wanted = PaddedTargets.pad((targets((24, 16, 16, 16)),), torch.float32)
    found = SimOTA()._find_candidates(predictions().anchors, wanted)
    assert found[0, 0].nonzero().squeeze(1).tolist() == [
        anchor(row, column) for row in (1, 2) for column in (2, 3)
    ]


def test_an_object_beyond_the_image_gets_nothing_alone_or_beside_another() -> None:
    outside, inside = (200.0, 200.0, 16.0, 16.0), (28.0, 20.0, 16.0, 16.0)
    alone = assign(predictions(), targets(outside))
    assert not alone.is_foreground.any()
    beside = assign(predictions(), targets(outside, inside))
    assert cells_of(beside, 0) == []
    assert cells_of(beside, 1) == cells_of(assign(predictions(), targets(inside)), 0)


def test_an_object_never_gets_the_candidates_of_another() -> None:
    # The border leaves the first a single candidate, though its prediction deserves many more.
    corner, inside = (-8.0, -8.0, 100.0, 100.0), (40.0, 30.0, 16.0, 16.0)
    assignment = assign(predictions(side=90), targets(corner, inside))
    assert cells_of(assignment, 0) == []
    near_corner = assign(predictions(side=90), targets((-4.0, -4.0, 90.0, 90.0), inside))
    assert cells_of(near_corner, 0) == [anchor(0, 0)]


def test_an_anchor_two_objects_want_goes_to_the_one_it_fits() -> None:
    assignment = assign(predictions(), targets((28, 20, 12, 12), (28, 20, 16, 16)))
    assert assignment.target[0, anchor(2, 3)] == 1


def test_the_likelier_class_is_cheaper() -> None:
    # Two like boxes beside the object; only the right one takes it for the right class.
    predicted = predictions(side=4)
    predicted.class_logits[0, anchor(2, 3), 1] = 4
    assignment = assign(predicted, targets((24, 20, 4, 4), class_id=1))
    assert cells_of(assignment, 0) == [anchor(2, 3)]


def test_images_do_not_share_objects() -> None:
    wanted = targets((28, 20, 16, 16)), targets(), targets((12, 12, 16, 16), (52, 36, 16, 16))
    together = assign(predictions(3), *wanted)
    for image, alone in enumerate(wanted):
        expected = assign(predictions(), alone)
        assert torch.equal(together.target[image], expected.target[0])
        assert torch.equal(together.ious[image], expected.ious[0])


def test_without_objects_all_is_background() -> None:
    assignment = assign(predictions(2), targets(), targets())
    assert assignment.target.tolist() == [[-1] * ROWS * COLUMNS] * 2
    assert not assignment.ious.any()


def test_maps_smaller_than_the_number_of_best_predictions_do() -> None:
    grid = AnchorGrid.over([(1, 2)], [8], like=torch.zeros(1))
    tiny = Predictions(torch.full((1, 2, 4), 4.0), torch.zeros(1, 2), torch.zeros(1, 2, 1), grid)
    assert assign(tiny, targets((4, 4, 4, 4))).is_foreground.any()
