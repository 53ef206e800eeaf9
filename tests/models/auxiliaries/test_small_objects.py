from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from tests.models.learning_steps import learning_step
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, small_objects
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.classification_losses import effective_number
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.losses import yolox

Config = small_objects.Config
MakeBatch = Callable[..., SequenceBatch]
TargetsOfImages = tuple[Targets, ...]

CLASSES = TrainingClasses(("car", "bicycle", "bus", "pedestrian"), (40, 30, 20, 10))
CHANNELS, STRIDES = (8, 16, 32), (8, 16, 32)


def maps() -> tuple[Tensor, ...]:
    return torch.randn(2, 8, 8, 8), torch.randn(2, 16, 4, 4), torch.randn(2, 32, 2, 2)


def boxes(*sides: float) -> Tensor:
    """Squares of these sides, one beside the other."""
    return torch.tensor(
        [[5.0 * i, 4.0, 5.0 * i + side, 4.0 + side] for i, side in enumerate(sides)]
    )


def learn(auxiliary: Auxiliary, features: tuple[Tensor, ...], targets: TargetsOfImages) -> Losses:
    losses: Losses
    losses, state = auxiliary(learning_step(targets, maps=features), ())
    assert state == ()
    return losses


FIRST = Targets(boxes(10, 33, 8, 32), torch.tensor([3, 1, 0, 1]))
SECOND = Targets(boxes(40, 12), torch.tensor([3, 2]))


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ({}, [([0, 2, 3], [3, 0, 1]), ([1], [2])]),  # a side of 32 px is still small
        ({"maximum_area": 99.9}, [([2], [0]), ([], [])]),
        ({"classes": (1, 3), "maximum_area": None}, [([0, 1, 3], [1, 0, 0]), ([0], [1])]),
        ({"classes": (3, 1, 3)}, [([0, 3], [1, 0]), ([], [])]),
    ],
)
def test_small_is_what_class_and_area_say(
    settings: dict[str, object], chosen: list[tuple[list[int], list[int]]]
) -> None:
    auxiliary = Config.model_validate(settings).build(CHANNELS, STRIDES, 4).train()
    seen = tuple(
        Targets(target.boxes_xyxy[indices], torch.tensor(ids, dtype=torch.int64))
        for target, (indices, ids) in zip((FIRST, SECOND), chosen, strict=True)
    )
    features = maps()
    found = learn(auxiliary, features, (FIRST, SECOND))
    expected = auxiliary.loss(auxiliary.head(features[:2]), seen)
    torch.testing.assert_close(found["small_class"], 2 * expected["class"])
    torch.testing.assert_close(found["small_iou"], 2 * expected["iou"])
    assert found["num_small_targets"] == sum(len(indices) for indices, _ in chosen)


def test_losses_are_named_weighed_and_counted() -> None:
    torch.manual_seed(1)
    light = Config(weight=0.5).build(CHANNELS, STRIDES, 4).train()
    heavy = Config().build(CHANNELS, STRIDES, 4).train()
    heavy.load_state_dict(light.state_dict())
    features = maps()
    low, high = learn(light, features, (FIRST, SECOND)), learn(heavy, features, (FIRST, SECOND))
    names = ("small_iou", "small_objectness", "small_class", "num_small_foreground")
    assert tuple(low) == tuple(high) == (*names, "num_small_targets")
    for name in names[:3]:
        torch.testing.assert_close(high[name], 4 * low[name])
    assert high["num_small_foreground"] == low["num_small_foreground"] > 0


def test_images_without_small_objects_teach_that_there_are_none() -> None:
    auxiliary = Config(classes=(2,), maximum_area=50).build(CHANNELS, STRIDES, 4).train()
    none = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    for targets in ((FIRST, none), (none, none)):
        losses = learn(auxiliary, maps(), targets)
        assert losses["num_small_targets"] == losses["num_small_foreground"] == 0
        assert losses["small_iou"] == losses["small_class"] == 0
        assert losses["small_objectness"] > 0


def test_looks_at_the_finest_maps_alone() -> None:
    auxiliary = Config(num_scales=1).build(CHANNELS, STRIDES, 4)
    features = tuple(level.requires_grad_() for level in maps())
    losses = learn(auxiliary, features, (FIRST, SECOND))
    (losses["small_iou"] + losses["small_objectness"] + losses["small_class"]).backward()
    assert [level.grad is not None for level in features] == [True, False, False]
    everything = Config(num_scales=9).build(CHANNELS, STRIDES, 4)
    assert learn(everything, maps(), (FIRST, SECOND))["small_objectness"] > 0


def test_names_become_ids_and_counts_those_of_the_classes_learnt() -> None:
    loss = yolox.Config(classification=effective_number.Config())
    config = Config(classes=("pedestrian", 0), loss=loss).for_classes(CLASSES)
    assert config.classes == (3, 0)
    assert config.loss == yolox.Config(classification=effective_number.Config(counts=(40, 10)))
    assert config.build(CHANNELS, STRIDES, 4).loss.num_classes == 2
    written = config.model_dump(mode="json", serialize_as_any=True)
    assert AuxiliaryConfig.model_validate(written) == config


def test_wrong_choices_are_named() -> None:
    with pytest.raises(ValueError, match="unknown class 'pedestrain'; did you mean 'pedestrian'"):
        Config(classes=("pedestrain",)).for_classes(CLASSES)
    with pytest.raises(ValueError, match=r"classes has 4, but ids go from 0 to 3"):
        Config(classes=(1, 4)).for_classes(CLASSES)
    with pytest.raises(ValueError, match=r"classes has 'bus', but ids .* names are looked up"):
        Config(classes=("bus",)).build(CHANNELS, STRIDES, 4)
    with pytest.raises(ValidationError, match="without either, every object is small"):
        Config(maximum_area=None)


def test_detecting_does_without_it(config: rvt.Config, make_batch: MakeBatch) -> None:
    detector = config.model_copy(update={"auxiliary": Config()}).build(4, 3).eval()
    plain = config.build(4, 3).eval()
    weights = detector.state_dict()
    added = {name for name in weights if name.startswith("auxiliary.")}
    plain.load_state_dict({name: weights[name] for name in weights if name not in added})
    batch, everything = make_batch(), SuppressionSettings(score_threshold=0, iou_threshold=1)
    with torch.no_grad():
        torch.testing.assert_close(detector(batch.frames), plain(batch.frames), rtol=0, atol=0)
        for parameter in detector.auxiliary.parameters():
            parameter.fill_(torch.nan)
        found, _ = detector.detect(batch, (), everything)
        expected, _ = plain.detect(batch, (), everything)
    assert all(torch.equal(a.scores, b.scores) for a, b in zip(found, expected, strict=True))


def test_areas_are_those_the_network_sees(config: rvt.Config, make_batch: MakeBatch) -> None:
    # Objects of 572 and 1200 px in the frame have 143 and 300 px at half the size.
    settings = {"auxiliary": Config(maximum_area=200), "input_size": (32, 32)}
    batch = make_batch()
    at_half = config.model_copy(update=settings).build(4, 3).train()
    assert at_half.losses(batch, ())[0]["num_small_targets"] == len(batch.targets)
    as_it_is = config.model_copy(update=settings | {"input_size": None}).build(4, 3).train()
    assert as_it_is.losses(batch, ())[0]["num_small_targets"] == 0


def test_losses_of_the_detector_itself_stay_as_they_are(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    helped = config.model_copy(update={"auxiliary": Config()}).build(4, 3).train()
    plain = config.build(4, 3).train()
    plain.load_state_dict(helped.state_dict(), strict=False)
    batch = replace(make_batch(), starts=torch.tensor([True, True]))
    with_help, without = helped.losses(batch, ())[0], plain.losses(batch, ())[0]
    torch.testing.assert_close({name: with_help[name] for name in without}, without)
    assert with_help["small_objectness"] > 0
