import torch

from etram_pipeline.models.predictions import AnchorGrid, Predictions


def test_anchors_go_row_by_row_from_the_finest_map() -> None:
    grid = AnchorGrid.over([(2, 3), (1, 1)], [8, 16], like=torch.zeros(1))
    assert grid.corners_xy.tolist() == [
        [0, 0], [8, 0], [16, 0],
        [0, 8], [8, 8], [16, 8],
        [0, 0],
    ]  # fmt: skip
    assert grid.strides.tolist() == [8] * 6 + [16]
    assert grid.centres_xy[[0, 6]].tolist() == [[4, 4], [8, 8]]


def test_stacked_predictions_hold_box_objectness_and_classes() -> None:
    grid = AnchorGrid.over([(1, 1)], [8], like=torch.zeros(1))
    box = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    predictions = Predictions(box, torch.zeros(1, 1), torch.full((1, 1, 2), 100.0), grid)
    assert predictions.stacked().tolist() == [[[1, 2, 3, 4, 0.5, 1, 1]]]
