import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.classification_losses import ClassificationLossConfig
from etram_pipeline.models.classification_losses.effective_number import Config
from etram_pipeline.models.classification_losses.focal import Config as Focal

CLASSES = TrainingClasses(("car", "bus", "wheelchair"), (40_000, 500, 0))
LOGITS = torch.tensor([[-1.0, 2.0, 0.3], [0.5, -3.0, 1.0], [0.1, 0.2, -0.4]])
CLASS_IDS = torch.tensor([1, 0, 1])
IOUS = torch.tensor([0.8, 0.3, 0.6])


def losses_of_anchors() -> torch.Tensor:
    expected = one_hot(CLASS_IDS, 3) * IOUS[:, None]
    return binary_cross_entropy_with_logits(LOGITS, expected, reduction="none").sum(1)


def test_anchors_weigh_by_the_effective_number_of_their_class() -> None:
    found = Config().for_classes(CLASSES).build(3)(LOGITS, CLASS_IDS, IOUS)
    car, bus = (1e-4 / (1 - 0.9999**count) for count in (40_000, 500))
    mean = (car + bus) / 2
    weights = torch.tensor([bus / mean, car / mean, bus / mean])
    assert weights[0] > 19 * weights[1]
    torch.testing.assert_close(found, (weights * losses_of_anchors()).sum())


def test_weights_add_up_to_the_number_of_classes() -> None:
    weights = Config(counts=(40_000, 500, 0, 3)).build(4).weights
    assert weights.sum().item() == pytest.approx(4)
    assert weights[2] == 1  # no anchor ever learns it


def test_a_beta_of_zero_weighs_all_alike_and_near_one_by_frequency() -> None:
    assert Config(counts=(40_000, 500), beta=0).build(2).weights.tolist() == [1, 1]
    weights = Config(counts=(40_000, 500), beta=1 - 1e-12).build(2).weights
    assert (weights[1] / weights[0]).item() == pytest.approx(80, rel=1e-4)


def test_with_gamma_it_is_the_class_balanced_focal_loss() -> None:
    found = Config(counts=(1, 1, 1), gamma=2).build(3)(LOGITS, CLASS_IDS, IOUS)
    torch.testing.assert_close(found, Focal(gamma=2).build(3)(LOGITS, CLASS_IDS, IOUS))
    rare = Config(counts=(40_000, 0, 0), gamma=2).build(3)(LOGITS[1:2], CLASS_IDS[1:2], IOUS[1:2])
    torch.testing.assert_close(
        rare, Focal(gamma=2).build(3)(LOGITS[1:2], CLASS_IDS[1:2], IOUS[1:2])
    )


def test_a_training_without_boxes_weighs_all_alike() -> None:
    assert Config(counts=(0, 0)).build(2).weights.tolist() == [1, 1]


def test_counts_come_from_the_data_unless_they_are_given() -> None:
    filled = Config().for_classes(CLASSES)
    assert filled.counts == CLASSES.counts
    assert Config(counts=(1, 2, 3)).for_classes(CLASSES).counts == (1, 2, 3)
    written = filled.model_dump(mode="json", serialize_as_any=True)
    assert ClassificationLossConfig.model_validate(written) == filled


def test_building_without_counts_says_where_they_come_from() -> None:
    with pytest.raises(ValueError, match="'effective_number' weighs classes by their number of"):
        Config().build(3)
    with pytest.raises(ValueError, match="has 2 numbers, but there are 3 classes"):
        Config(counts=(1, 2)).build(3)


def test_checkpoints_keep_the_counts_alone() -> None:
    assert Config(counts=(1, 2)).build(2).state_dict() == {}
