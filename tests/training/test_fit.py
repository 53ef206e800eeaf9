"""Whole trainings of a small detector."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.training.runs import NANO, changed, changed_validation, curve, weights

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.errors import CheckpointError, LabelError, StoreError
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.models.checkpoint import PAYLOAD_KEY, read_checkpoint
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import DivergedError

Record = Callable[..., LabelledRecordings]


def test_the_detector_learns_and_the_best_checkpoint_is_the_one_that_found_most(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    longer = changed_validation(changed(settings, max_steps=90, lanes=4), every_steps=30)
    best = fit(record(4), record(1, first_seed=9), blueprint, longer, tmp_path)
    losses = [value for _, value in curve(tmp_path)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    scores = dict(curve(tmp_path, "val/coco/AP"))
    assert list(scores) == [30, 60, 90]
    assert max(scores.values()) > 0
    assert scores[torch.load(best)["global_step"]] == max(scores.values())
    operating = OperatingScores.model_validate(torch.load(best)[PAYLOAD_KEY]["operating_scores"])
    assert (operating.protocol, operating.ranking) == ("coco", "joint")
    assert 0 < operating.common <= 1
    calibration = Calibration.model_validate(torch.load(best)[PAYLOAD_KEY]["calibration"])
    assert (calibration.protocol, calibration.scaling.kind) == ("coco", "temperature")


def test_one_seed_gives_one_loss_curve_whatever_the_number_of_workers(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    curves = []
    for run, (seed, workers) in enumerate([(3, 0), (3, 0), (3, 2), (4, 0)]):
        varied = changed(settings, max_steps=5, seed=seed, workers=workers)
        fit(record(3), record(1), blueprint, varied, tmp_path / str(run))
        curves.append(curve(tmp_path / str(run)))
    assert [step for step, _ in curves[0]] == [1, 2, 3, 4, 5]
    assert curves[0] == curves[1] == curves[2]
    assert curves[0] != curves[3]


@pytest.mark.parametrize("damaged", [{BEST}, {BEST, LAST}, {"finished.json"}])
def test_a_finished_training_that_was_damaged_is_mended(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    damaged: set[str],
) -> None:
    train, val = record(2), record(1, first_seed=9)
    fit(train, val, blueprint, settings, tmp_path)
    before = curve(tmp_path)
    for name in damaged:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()  # best and last may be one file
        (tmp_path / name).write_bytes(content[: len(content) // 2])

    best = fit(train, val, blueprint, settings, tmp_path)

    assert weights(best)
    assert curve(tmp_path) == before


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("clip_by", ["value", "norm"])
def test_low_precision_learns_nearly_the_same_with_clipped_gradients(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    precision: str,
    clip_by: str,
) -> None:
    curves = {}
    for name in ("32", precision):
        optimizer = settings.optimizer.model_dump(serialize_as_any=True)
        clipped = optimizer | {"gradient_clip": 0.01, "clip_by": clip_by}
        varied = changed(settings, precision=name, optimizer=clipped)
        fit(record(2), record(1), blueprint, varied, tmp_path / name)
        curves[name] = [value for _, value in curve(tmp_path / name)]
    assert curves[precision] == pytest.approx(curves["32"], rel=0.05)


def test_a_single_recording_trains_in_many_lanes(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    one = record(1)
    fit(one, one, blueprint, changed(settings, lanes=4, workers=1), tmp_path)
    assert len(curve(tmp_path)) == settings.max_steps


@pytest.mark.parametrize("num_recordings", [0, 2])
def test_without_a_label_to_validate_on_the_last_state_is_the_best(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    num_recordings: int,
) -> None:
    bare = record(num_recordings, num_windows=1, first_seed=5)
    with_patience = changed_validation(settings, patience=1)
    best = fit(record(2), bare, blueprint, with_patience, tmp_path)
    assert torch.load(best)["global_step"] == settings.max_steps
    assert not {"operating_scores", "calibration"} & torch.load(best)[PAYLOAD_KEY].keys()
    assert not curve(tmp_path, "val/coco/AP")


def test_training_stops_early_when_validation_no_longer_improves(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    still = changed(settings, max_steps=40, optimizer={"learning_rate": 1e-9})
    patient = changed_validation(still, patience=2, every_steps=4)
    fit(record(2), record(1), blueprint, patient, tmp_path)
    assert [step for step, _ in curve(tmp_path, "val/coco/AP")] == [4, 8, 12]
    assert len(curve(tmp_path)) == 12


def test_gains_of_no_more_than_min_delta_stop_training_early_and_still_give_the_best_checkpoint(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    learning = changed(settings, max_steps=40)
    stopping = {"patience": 2, "every_steps": 4, "protocol": "coco", "min_delta": 1.0}
    demanding = changed_validation(learning, **stopping)
    best = fit(record(2), record(1), blueprint, demanding, tmp_path)
    scores = dict(curve(tmp_path, "val/coco/AP"))
    assert list(scores) == [4, 8, 12]
    assert torch.load(best)["global_step"] == max(scores, key=scores.__getitem__)


def test_training_works_outside_the_main_thread(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    arguments = (record(2), record(1), blueprint, settings, tmp_path)
    thread = threading.Thread(target=fit, args=arguments)
    thread.start()
    thread.join()
    assert (tmp_path / "finished.json").exists()


def test_the_average_of_the_weights_is_what_a_checkpoint_shows(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    best = fit(record(2), record(1), blueprint, changed(settings, average_decay=0.99), tmp_path)
    average, learning = weights(best), weights(best, "learning_state_dict")
    assert not torch.equal(average["detector.head.weight"], learning["detector.head.weight"])
    assert average["detector.stem.1.num_batches_tracked"] > 0


def test_gradients_of_several_batches_make_one_step(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    optimizer = settings.optimizer.model_dump() | {"accumulate": 3}
    best = fit(record(2), record(1), blueprint, changed(settings, optimizer=optimizer), tmp_path)
    last = torch.load(best.with_name(LAST))
    assert last["global_step"] == settings.max_steps
    num_windows = last["state_dict"]["detector.stem.1.num_batches_tracked"]
    assert num_windows == 3 * settings.max_steps * settings.clip_length
    assert [step for step, _ in curve(tmp_path, "val/coco/AP")] == [4, 8]


def test_frozen_weights_and_statistics_stay_as_they_were(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    first = fit(record(2), record(1), blueprint, settings, tmp_path / "first")
    with pytest.raises(CheckpointError):  # a follower is no part of the package
        read_checkpoint(first)
    frozen = changed(settings, freeze=("stem",))
    second = fit(record(2), record(1), blueprint, frozen, tmp_path / "second")
    stem = weights(second)
    assert stem["detector.stem.1.num_batches_tracked"] == 0
    assert torch.equal(stem["detector.stem.1.running_mean"], torch.zeros(8))
    start = weights(tmp_path / "second" / BEST)["detector.stem.0.weight"]
    assert torch.equal(start, weights(tmp_path / "second" / LAST)["detector.stem.0.weight"])


def test_a_prefix_that_freezes_nothing_is_refused(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no parameter starts with 'backbone'; they start with"):
        fit(record(1), record(1), blueprint, changed(settings, freeze=("backbone",)), tmp_path)


def test_boxes_of_a_class_that_does_not_exist_are_refused(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    train = record(2)
    train.labels["train/r1"].labels["class_id"][3] = 2
    with pytest.raises(LabelError, match="train/r1 has boxes of class 2, but there are 2 classes"):
        fit(train, record(1), blueprint, settings, tmp_path)


def test_a_loss_that_is_no_number_ends_the_training(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    hasty = changed(settings, optimizer={"learning_rate": 1e30, "gradient_clip": None})
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf) at step \d; lower train"):
        fit(record(2), record(1), blueprint, hasty, tmp_path)


def test_nothing_to_train_on_is_an_error(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="no recording to train on"):
        fit(record(0), record(1), blueprint, settings, tmp_path)


@pytest.fixture
def nano() -> Blueprint:
    """The smallest recurrent vision transformer, and two classes."""
    return Blueprint(detector=NANO, class_names=("box", "other"), dataset_fingerprint="abc")


def test_the_best_checkpoint_describes_itself_and_starts_another_training(
    record: Record, nano: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    best = fit(record(2), record(1), nano, settings, tmp_path / "first")
    found = read_checkpoint(best)
    assert found.detector_config == nano.detector
    assert found.class_names == ("box", "other")
    assert found.dataset_fingerprint == "abc"
    assert found.downsampled_by == 1
    other = nano.model_copy(update={"class_names": ("a", "b", "c")})
    tuned = changed(settings, start_from=str(best), freeze=("backbone", "neck"))
    second = fit(record(2), record(1), other, tuned, tmp_path / "second")
    first_weights, second_weights = weights(best), weights(second)
    for name, value in first_weights.items():
        if name.startswith(("detector.backbone", "detector.neck")):
            assert torch.equal(value, second_weights[name]), name
