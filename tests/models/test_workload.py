"""Estimates of the memory that detectors take, against what was measured."""

from pathlib import Path
from typing import Any

import pytest

from etram_pipeline.core.component import kinds
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.workload import Workload

MEGABYTE = 2**20


def working_megabytes(settings: dict[str, Any], load: Workload, *, training: bool) -> float:
    config = DetectorConfig.model_validate(settings)
    return config.working_bytes(load, training=training) / MEGABYTE


def frames(height: int, width: int, number: int = 2) -> Workload:
    return Workload(height, width, num_windows=number, num_keyframes=float(number))


def rvt(embed_dim: int) -> dict[str, Any]:
    return {"kind": "rvt", "backbone": {"kind": "maxvit", "embed_dim": embed_dim}}


MEMORY = {"cell": {"kind": "conv_lstm"}}


@pytest.mark.parametrize(
    ("settings", "training_mb", "detection_mb"),
    [
        (rvt(32), 174, 45),
        (rvt(64), 346, 62),
        ({"kind": "yolox", "backbone": "lcnet_050"}, 114, 39),
        ({"kind": "yolox", "backbone": "cs3darknet_s"}, 182, 39),
        ({"kind": "yolox", "backbone": "resnet18"}, 231, 39),
        ({"kind": "faster_rcnn", "backbone": "resnet18"}, 303, 271),
        ({"kind": "faster_rcnn", "backbone": "resnet50"}, 457, 281),
        ({"kind": "rf_detr", "size": "nano"}, 1295, 112),
        ({"kind": "rf_detr", "size": "small"}, 1890, 159),
        ({"kind": "rtdetr"}, 352, 69),
        ({"kind": "rtdetr", "backbone": "resnet50"}, 662, 80),
        ({"kind": "rtdetr", "memory": MEMORY}, 384, 75),
    ],
    ids=str,
)
def test_two_frames_take_about_what_was_measured(
    settings: dict[str, Any], training_mb: int, detection_mb: int
) -> None:
    """On frames of 20 x 192 x 320 px, gradients of the weights and small buffers included."""
    load = frames(192, 320)
    for measured, training in ((training_mb, True), (detection_mb, False)):
        estimate = working_megabytes(settings, load, training=training)
        assert 0.4 * measured < estimate < 1.3 * measured, training


@pytest.mark.parametrize(
    ("settings", "more_mb"),
    [
        (rvt(32), 199),
        ({"kind": "yolox", "backbone": "lcnet_050"}, 170),
        ({"kind": "yolox", "backbone": "cs3darknet_s"}, 257),
        ({"kind": "faster_rcnn", "backbone": "resnet18"}, 225),
    ],
    ids=str,
)
def test_larger_frames_take_as_much_more_as_was_measured(
    settings: dict[str, Any], more_mb: int
) -> None:
    """From 192 x 320 to 320 x 512 px, in training."""
    small, large = (
        working_megabytes(settings, frames(*size), training=True)
        for size in ((192, 320), (320, 512))
    )
    assert large - small == pytest.approx(more_mb, rel=0.15)


def test_two_more_frames_of_a_fixed_size_take_as_much_more_as_was_measured() -> None:
    two, four = (
        working_megabytes({"kind": "rf_detr"}, frames(192, 320, number), training=True)
        for number in (2, 4)
    )
    assert four - two == pytest.approx(1235, rel=0.15)


@pytest.mark.parametrize("kind", kinds("etram_pipeline.models.detectors"))
def test_every_family_has_an_estimate_of_its_own(kind: str) -> None:
    config = DetectorConfig.model_validate({"kind": kind})
    assert type(config).working_bytes is not DetectorConfig.working_bytes
    few, many = frames(180, 320, number=1), frames(180, 320, number=6)
    for training in (True, False):
        assert config.working_bytes(many, training=training) == pytest.approx(
            6 * config.working_bytes(few, training=training)
        )
    assert config.working_bytes(few, training=True) > config.working_bytes(few, training=False) > 0


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"kind": "yolox"}, 0.2),
        ({"kind": "faster_rcnn"}, 0.2),
        ({"kind": "rf_detr"}, 0.2),
        ({"kind": "rtdetr"}, 0.2),
        ({"kind": "rvt"}, 1.0),
    ],
    ids=str,
)
def test_without_a_memory_only_keyframes_count(settings: dict[str, Any], share: float) -> None:
    whole, sparse = (Workload(180, 320, 10, num_keyframes) for num_keyframes in (10.0, 2.0))
    wanted = working_megabytes(settings, whole, training=True) * share
    assert working_megabytes(settings, sparse, training=True) == pytest.approx(wanted)


def test_with_a_memory_all_windows_count() -> None:
    settings = {"kind": "rtdetr", "memory": MEMORY}
    found = working_megabytes(settings, Workload(180, 320, 10, 2.0), training=False)
    assert found == working_megabytes(settings, Workload(180, 320, 10, 10.0), training=False)


def test_a_size_inside_the_detector_replaces_that_of_the_frames() -> None:
    resized = {"kind": "yolox", "input_size": (96, 160)}
    found = working_megabytes(resized, frames(720, 1280), training=True)
    assert found == working_megabytes({"kind": "yolox"}, frames(96, 160), training=True)


@pytest.mark.parametrize("settings", [rvt(32), {"kind": "yolox"}], ids=str)
def test_what_a_task_computes_besides_is_counted_in_training(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    def more(task: dict[str, Any], *, training: bool = True) -> float:
        helped = settings | {"auxiliary": task}
        alone = working_megabytes(settings, load, training=training)
        return working_megabytes(helped, load, training=training) - alone

    load = Workload(180, 320, 10, num_keyframes=2.0)
    learning, detecting = (
        working_megabytes(settings, load, training=training) for training in (True, False)
    )
    larger, smaller = ({"kind": "scale_consistency", "scale": scale} for scale in (1.5, 0.5))
    assert more(larger) == pytest.approx(2.25 * detecting)
    assert more(smaller) == pytest.approx(0.25 * learning)
    assert more(larger, training=False) == more({"kind": "motion_direction"}) == 0

    teacher = DetectorConfig.model_validate(rvt(32) | {"input_size": (64, 128)})
    path = tmp_path / "teacher.ckpt"
    write_checkpoint(path, Checkpoint(teacher.build(2, 1), teacher, 2, ("car",)))
    taught = {"kind": "distillation", "teacher": str(path)}
    of_teacher = teacher.working_bytes(load, training=False) / MEGABYTE
    assert more(taught) == pytest.approx(of_teacher)
    both = {"kind": "several", "tasks": [larger, taught]}
    assert more(both) == pytest.approx(2.25 * detecting + of_teacher)
    path.unlink()
    assert more(taught) == 0  # another check tells that it is missing
