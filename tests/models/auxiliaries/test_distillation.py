"""A frozen teacher, and what a detector that it taught is without it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.detector_choices import SMALL

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.errors import CheckpointError, SettingsError
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models import teachers
from etram_pipeline.models.auxiliaries import distillation
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.detector import Detector, Losses, State
from etram_pipeline.models.detectors import DetectorConfig, rvt

MakeBatch = Callable[..., SequenceBatch]
NAMES = ("car", "tram", "bus")
LOSSES = ("teacher_maps", "teacher_objectness", "teacher_class", "teacher_iou")
YOLOX = {"kind": "yolox"} | SMALL["yolox"]


def taught(config: DetectorConfig, path: Path | str | None, **settings: object) -> DetectorConfig:
    """The same detector, which learns from the teacher of a file."""
    task = {"kind": "distillation", "teacher": None if path is None else str(path), **settings}
    return DetectorConfig.model_validate(
        config.model_dump(serialize_as_any=True) | {"auxiliary": task}
    )


def teaching(detector: Detector) -> Detector:
    """The teacher that a detector has read."""
    task = detector.auxiliary
    assert isinstance(task, distillation.Distillation)
    return task._teacher()


def save(path: Path, config: DetectorConfig, detector: Detector, channels: int = 4) -> Path:
    write_checkpoint(path, Checkpoint(detector, config, channels, NAMES))
    return path


def distilled(losses: Losses) -> torch.Tensor:
    return torch.stack([losses[name] for name in LOSSES])


def test_a_teacher_equal_to_its_student_has_nothing_to_teach(
    config: rvt.Config, tmp_path: Path, make_batch: MakeBatch
) -> None:
    own = config.build(4, 3).eval()
    path = save(tmp_path / "equal.ckpt", config, own)
    student = taught(config, path, box_threshold=0.0).build(4, 3).eval()
    student.load_state_dict(own.state_dict())
    losses, state = student.losses(make_batch(), ())
    for starts in ((False, True), (False, False)):
        losses, state = student.losses(make_batch(starts=starts), state)
        assert distilled(losses).abs().max() < 1e-6
        assert losses["num_teacher_boxes"] == 2 * (8 * 8 + 4 * 4 + 2 * 2)
    own_memories = len(state) // 2
    for ours, theirs in zip(state[:own_memories], state[own_memories:], strict=True):
        torch.testing.assert_close(ours, theirs)
        assert not theirs.requires_grad
    distilled(losses).sum().backward()
    gradients = [weight.grad for weight in student.parameters() if weight.grad is not None]
    assert max(gradient.abs().max() for gradient in gradients) < 1e-5


def test_a_teacher_of_another_size_pulls_the_student_towards_it(
    config: rvt.Config, teacher_path: Path, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    student = taught(config, teacher_path, box_threshold=0.0).build(4, 3).eval()
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    before = copy.deepcopy(teaching(student).state_dict())
    totals = []
    for _ in range(5):
        losses, _ = student.train().losses(batch, ())
        optimizer.zero_grad()
        distilled(losses).sum().backward()
        optimizer.step()
        totals.append(float(distilled(losses).detach().sum()))
    assert totals[-1] < 0.9 * totals[0]
    teacher = teaching(student)
    assert not teacher.training
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(weight.grad is None for weight in teacher.parameters())


def test_weights_scale_the_losses_and_the_teacher_is_no_part_of_the_student(
    config: rvt.Config, teacher_path: Path, tmp_path: Path, make_batch: MakeBatch
) -> None:
    plain = config.build(4, 3)
    single = taught(config, teacher_path)
    weights = {"map_weight": 2, "objectness_weight": 0, "class_weight": 3, "box_weight": 4}
    double = taught(config, teacher_path, **weights)
    batch, found = make_batch(), []
    student = single.build(4, 3)
    for each in (single, double):
        student = each.build(4, 3)
        assert student.state_dict().keys() == plain.state_dict().keys()
        student.load_state_dict(plain.state_dict())
        found.append(student.eval().losses(batch, ())[0])
        assert student.state_dict().keys() == plain.state_dict().keys()
        assert len(list(student.parameters())) == len(list(plain.parameters()))
    torch.testing.assert_close(
        distilled(found[1]), distilled(found[0]) * torch.tensor([2, 0, 3, 4])
    )

    path = save(tmp_path / "student.ckpt", double, student)
    teacher_path.unlink()
    read = read_checkpoint(path)
    assert read.detector_config == double
    everything = SuppressionSettings(score_threshold=0, iou_threshold=1)
    with torch.no_grad():
        detections, _ = read.detector.detect(batch, (), everything)
        expected, _ = student.eval().detect(batch, (), everything)
    assert all(torch.equal(a.scores, b.scores) for a, b in zip(detections, expected, strict=True))
    with pytest.raises(CheckpointError, match="but there is no such file"):
        read.detector.losses(make_batch(), ())


def test_memories_of_the_teacher_follow_each_lane(
    teacher_path: Path, make_batch: MakeBatch
) -> None:
    student = DetectorConfig.model_validate(YOLOX)
    detector = taught(student, teacher_path).build(4, 3).eval()
    teacher = teaching(detector)
    first, second = make_batch(), make_batch(starts=(False, True))
    with torch.no_grad():
        state: State = ()
        own: State = ()
        for batch in (first, second):
            _, state = detector.losses(batch, state)
            _, own = teacher.detect(batch, own, SuppressionSettings())
        assert len(state) == len(own) > 0
        for ours, theirs in zip(state, own, strict=True):
            torch.testing.assert_close(ours, theirs)
        _, anew = detector.losses(second, ())
        for ours, fresh in zip(state, anew, strict=True):
            assert not torch.equal(ours[0], fresh[0])
            assert torch.equal(ours[1], fresh[1])


def test_a_teacher_without_memory_teaches_a_detector_with_memory(
    config: rvt.Config, tmp_path: Path, make_batch: MakeBatch
) -> None:
    frames = DetectorConfig.model_validate(YOLOX)
    path = save(tmp_path / "yolox.ckpt", frames, frames.build(4, 3))
    detector = taught(config, path).build(4, 3)
    losses, state = detector.losses(make_batch(), ())
    assert distilled(losses)[:3].min() > 0
    assert len(state) == detector.num_memories


CLIPS = TrainingClips(length=2, channels=4, class_names=NAMES)
HISTOGRAM = RepresentationConfig.model_validate({"kind": "stacked_histogram", "bins": 2})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"channels": 6}, "reads 4 channels, but the frames have 6"),
        ({"class_names": ("tram", "car", "bus")}, "detects the classes car, tram, bus, but this"),
        ({"class_names": ("car",)}, "detects the classes car, tram, bus, but this run learns car"),
        ({"scales": (0.5, 1.0)}, r"own input_size \[96, 96\] resizes"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_before_training(
    config: rvt.Config, teacher_path: Path, given: dict[str, Any], message: str
) -> None:
    detector = taught(config, teacher_path)
    detector.check_clips(CLIPS)
    with pytest.raises(ValueError, match=message):
        detector.check_clips(replace(CLIPS, **given))


def test_memories_of_a_teacher_are_resized_like_those_of_its_student_or_refused(
    config: rvt.Config, tmp_path: Path
) -> None:
    path = save(tmp_path / "teacher.ckpt", config, config.build(4, 3))
    detector = taught(config, path)
    several = replace(CLIPS, scales=(0.5, 1.0), size_multiple=64)
    detector.check_clips(several)
    detector.check_clips(replace(several, scales=(), size_multiple=32))
    with pytest.raises(SettingsError, match="multiples of 64 px and this detector to 32, so train"):
        detector.check_clips(replace(several, size_multiple=32))


def test_a_teacher_of_another_representation_is_refused(
    checkpoint: Checkpoint, config: rvt.Config, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "other.ckpt", checkpoint)
    detector = taught(config, tmp_path / "other.ckpt")
    names = checkpoint.class_names
    known = replace(CLIPS, class_names=names, representation=HISTOGRAM, downsampled_by=2)
    detector.check_clips(known)
    with pytest.raises(CheckpointError, match="frames that are 2 times smaller than the sensor"):
        detector.check_clips(replace(known, downsampled_by=1))
    other = HISTOGRAM.model_copy(update={"max_count": 7})
    with pytest.raises(CheckpointError, match=r"another representation \(max_count \S+ -> 7\)"):
        detector.check_clips(replace(known, representation=other))


def test_files_that_are_no_teacher_are_named(config: rvt.Config, tmp_path: Path) -> None:
    rcnn = DetectorConfig.model_validate({"kind": "faster_rcnn"} | SMALL["faster_rcnn"])
    other = save(tmp_path / "rcnn.ckpt", rcnn, rcnn.build(4, 3))
    (tmp_path / "half.ckpt").write_bytes(b"PK")
    for path, message in [
        (None, "detector.auxiliary.teacher is missing: name the checkpoint"),
        (tmp_path, "but that is a folder"),
        (tmp_path / "nowhere.ckpt", "but there is no such file"),
        (tmp_path / "half.ckpt", "cannot be read"),
        (other, "holds a FasterRCNN, whose predictions do not lie on a grid"),
    ]:
        with pytest.raises((CheckpointError, SettingsError), match=message):
            taught(config, path).check_clips(CLIPS)


def test_reading_a_teacher_draws_no_random_number(teacher_path: Path) -> None:
    before = torch.get_rng_state()
    teachers.read_teacher(str(teacher_path))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_teacher_of_nested_settings_is_found_and_replaced(config: rvt.Config) -> None:
    several = {
        "kind": "several",
        "tasks": [{"kind": "none"}, {"kind": "distillation", "teacher": "a"}],
    }
    nested = rvt.Config.model_validate(
        config.model_dump(serialize_as_any=True) | {"auxiliary": several}
    )
    assert teachers.teacher_of(nested) == "a"
    other = teachers.with_teacher(nested, "b")
    assert teachers.teacher_of(other) == "b"
    assert teachers.with_teacher(other, "a") == nested
    assert teachers.with_teacher(config, "b") is config
    assert teachers.teacher_of(taught(config, None)) is None
