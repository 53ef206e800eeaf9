import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.models.learning_steps import learning_step, random_predictions
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.auxiliaries.temporal_consistency import Config, following
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.object_predictions import ObjectPredictions

MakeBatch = Callable[..., SequenceBatch]


def targets(boxes: list[list[float]], tracks: list[int], classes: list[int]) -> Targets:
    corners = torch.tensor(boxes, dtype=torch.float32).view(-1, 4)
    ids = (torch.tensor(values, dtype=torch.int64) for values in (classes, tracks))
    class_ids, track_ids = ids
    return Targets(corners, class_ids, track_ids=track_ids)


A, B, C = [3.0, 5, 30, 20], [40.0, 40, 50, 63], [10.0, 30, 30, 60]
FRAMES = (
    targets([A, B], [1, 2], [0, 1]),  # window 0, lane 0
    targets([C], [1], [0]),  # window 0, lane 1: the same number in another recording
    targets([B, A, C], [2, 1, 3], [1, 2, 0]),  # window 2, lane 0: track 1 has another class
    targets([A], [1], [0]),  # window 3, lane 1
    targets([C, B], [3, 2], [0, 1]),  # window 4, lane 0
)
KEYFRAMES = ((0, 0), (0, 1), (2, 0), (3, 1), (4, 0))


def by_hand(found: ObjectPredictions, config: Config) -> tuple[float, float, int]:
    """Mean losses of boxes and of scores, and the number of pairs, one pair after another."""
    rows = [
        (*KEYFRAMES[image], int(track), int(class_id), number)
        for image, frame in enumerate(FRAMES)
        for track, class_id, number in zip(
            frame.track_ids if frame.track_ids is not None else [],
            frame.class_ids,
            (found.image == image).nonzero().flatten().tolist(),
            strict=True,
        )
    ]
    box_sum, score_sum, count = 0.0, 0.0, 0
    for t, lane, track, class_id, i in rows:
        later = min((s for s, other in KEYFRAMES if other == lane and s > t), default=math.inf)
        for s, other, other_track, other_class, j in rows:
            if (s, other, other_track, other_class) != (later, lane, track, class_id):
                continue
            if s - t > config.max_gap:
                continue
            differences = (found.box_errors[i] - found.box_errors[j]).abs().tolist()
            box_sum += sum(max(d - config.box_margin, 0) for d in differences) / 4
            scores = [found.log_scores[n].exp().item() for n in (i, j)]
            score_sum += max(abs(scores[0] - scores[1]) - config.score_margin, 0)
            count += 1
    per = max(count, 1)
    return config.box_weight * box_sum / per, config.score_weight * score_sum / per, count


@pytest.mark.parametrize(
    ("settings", "num_pairs"),
    [
        ({"box_weight": 2.0, "score_weight": 3.0, "score_margin": 0.01}, 4),
        ({"max_gap": 2}, 3),
        ({"max_gap": 1}, 0),
        ({"box_margin": 0.5}, 4),
    ],
)
def test_tracks_of_neighbouring_keyframes_are_compared_as_by_hand(
    settings: dict[str, float], num_pairs: int
) -> None:
    config = Config.model_validate(settings)
    step = learning_step(FRAMES, keyframes=KEYFRAMES)
    losses, state = config.build((), (), 3)(step, ())
    box, score, count = by_hand(ObjectPredictions.of(step.predictions, FRAMES), config)
    assert (losses["num_temporal_pairs"], state) == (count, ()) == (num_pairs, ())
    assert losses["temporal_box"].item() == pytest.approx(box, rel=1e-5)
    assert losses["temporal_score"].item() == pytest.approx(score, rel=1e-5)


def test_what_moves_and_grows_with_its_label_is_no_disagreement() -> None:
    first = torch.tensor([8.0, 8, 24, 16])
    second = torch.tensor([30.0, 20, 62, 36])  # twice as large
    boxes = torch.stack([first, second])
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    predicted = torch.cat([centres + 0.1 * sizes, 1.2 * sizes], dim=1)
    some = random_predictions(2, (64, 64))
    same: Tensor = predicted[:, None].expand_as(some.boxes_cxcywh)
    predictions = replace(
        some,
        boxes_cxcywh=same,
        objectness_logits=torch.ones_like(some.objectness_logits),
        class_logits=torch.ones_like(some.class_logits),
    )
    frames = tuple(targets([box.tolist()], [1], [0]) for box in boxes)
    strict = Config(box_margin=1e-5, score_margin=0)
    losses, _ = strict.build((), (), 3)(learning_step(frames, predictions=predictions), ())
    assert losses["num_temporal_pairs"] == 1
    assert losses["temporal_box"] == losses["temporal_score"] == 0


def test_agreement_is_learnt() -> None:
    torch.manual_seed(2)
    step = learning_step(FRAMES, keyframes=KEYFRAMES)
    task = Config(box_margin=0, score_margin=0).build((), (), 3)
    tensors = [step.predictions.boxes_cxcywh, step.predictions.objectness_logits]
    losses, _ = task(step, ())
    gradients = torch.autograd.grad(losses["temporal_box"] + losses["temporal_score"], tensors)
    boxes, objectness = (
        tensor - 0.05 * gradient for tensor, gradient in zip(tensors, gradients, strict=True)
    )
    better = replace(step.predictions, boxes_cxcywh=boxes, objectness_logits=objectness)
    after, _ = task(learning_step(FRAMES, keyframes=KEYFRAMES, predictions=better), ())
    assert after["temporal_box"] < losses["temporal_box"]
    assert after["temporal_score"] < losses["temporal_score"]


def test_without_tracks_there_is_nothing_to_compare_but_a_gradient() -> None:
    plain = tuple(replace(frame, track_ids=None) for frame in FRAMES)
    step = learning_step(plain, keyframes=KEYFRAMES)
    losses, _ = Config().build((), (), 3)(step, ())
    total = losses["temporal_box"] + losses["temporal_score"]
    assert total == losses["num_temporal_pairs"] == 0
    total.backward()
    assert step.predictions.class_logits.grad is not None


def test_the_next_keyframe_of_a_lane_follows() -> None:
    found = following(torch.tensor(KEYFRAMES), max_gap=4).nonzero().tolist()
    assert found == [[0, 2], [1, 3], [2, 4]]


def test_a_detector_learns_from_the_pairs_of_its_clips(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    helped = config.model_copy(update={"auxiliary": Config(box_margin=0)}).build(4, 3).train()
    losses, _ = helped.losses(make_batch(keyframes=((0, 0), (1, 0), (1, 1))), ())
    assert losses["num_temporal_pairs"] == 2
    assert losses["temporal_box"] > 0


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (TrainingClips(1), "train.clip_length is 1: set it to at least 2"),
        (TrainingClips(2, label_gap=2), "train.clip_length is 2: set it to at least 3"),
        (TrainingClips(9, label_gap=5), "set max_gap to at least 5"),
        (TrainingClips(5, label_gap=2, has_tracks=False), "no label file .* has track ids"),
    ],
)
def test_clips_that_can_hold_no_pair_are_refused(clips: TrainingClips, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        rvt.Config(auxiliary=Config()).check_clips(clips)
    rvt.Config(auxiliary=Config()).check_clips(TrainingClips(3, label_gap=2, has_tracks=True))
    rvt.Config().check_clips(clips)
