"""Masks from stored labels through training and detection to mask AP."""

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import PROJECT
from tests.training.conftest import SIDE
from tests.training.test_launch import NAME, Record, write_as_rvt

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.mask_column import write_masks
from etram_pipeline.core.run_lengths import RunLengths, encode_masks
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.inference.predict import predict_recordings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.models import detectors
from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.pipelines.evaluate.nodes import score_detections
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.launch import TrainingJob, run_job
from etram_pipeline.training.optimizers import adamw
from etram_pipeline.training.settings import TrainSettings, ValidationSettings

CLASSES = ("box", "other")
DATASET = DatasetSettings(height=SIDE, width=SIDE, class_names=CLASSES)


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> DetectorConfig:
    """The choice of a detector of masks that somebody adds as one file."""
    added = str(PROJECT / "tests/training/added")
    monkeypatch.setattr(detectors, "__path__", [*detectors.__path__, added])
    return DetectorConfig.model_validate({"kind": "segmenter"})


@pytest.fixture
def job(
    record: Record, settings: TrainSettings, segmenter: DetectorConfig, tmp_path: Path
) -> TrainingJob:
    train, val = record(2), record(1, first_seed=5)
    val = LabelledRecordings({"val/r5": val.frames["train/r5"]}, {"val/r5": val.labels["train/r5"]})
    for recordings in (train, val):
        write_as_rvt(tmp_path / "store", recordings)
        for key, labels in recordings.labels.items():
            write_masks(tmp_path / "store" / key / "labels_v2/masks.json", filled(labels))
    changes = {
        "max_steps": 40,
        "optimizer": adamw.Config(learning_rate=0.3),
        "validation": ValidationSettings(every_steps=20, lanes=1, protocol="coco_masks"),
    }
    return TrainingJob(
        representations=tmp_path / "store",
        representation=NAME,
        labels=tmp_path / "store",
        train=tuple(train.frames),
        val=("val/r5",),
        blueprint=Blueprint(detector=segmenter, class_names=CLASSES),
        settings=settings.model_copy(update=changes),
    )


def filled(labels: LabelledFrames) -> list[RunLengths]:
    masks = np.zeros((len(labels.labels), SIDE, SIDE), bool)
    for mask, row in zip(masks, labels.labels, strict=True):
        x, y, w, h = (int(row[side]) for side in "xywh")
        mask[y : y + h, x : x + w] = True
    return encode_masks(masks)


def test_a_detector_of_masks_learns_them_and_is_scored_by_them(
    job: TrainingJob, tmp_path: Path
) -> None:
    best = run_job(job, tmp_path / "work")
    scores = [
        value
        for _, name, value in read_history(tmp_path / "work" / HISTORY)
        if name == "val/coco_masks/mask_AP"
    ]
    assert len(scores) == 2
    assert max(scores) > 0.9
    trained = read_checkpoint(best)
    frames = RepresentationStore(job.representations, NAME)
    tables = predict_recordings(
        trained.detector, {"val/r5": frames["val/r5"]}, PredictSettings(device="cpu")
    )
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(Prediction(tables, CLASSES))
    settings = EvaluateSettings.model_validate(
        {"split": "val", "protocols": ["coco_masks", "coco"]}
    )
    _, metrics = score_detections(dataset.load(), LabelStore(job.labels), frames, DATASET, settings)
    assert metrics["coco_masks"].overall["mask_AP"] == pytest.approx(max(scores))
    assert metrics["coco_masks"].overall["AP"] == metrics["coco"].overall["AP"] > 0.9


def test_labels_without_masks_are_refused_before_the_first_step(
    job: TrainingJob, tmp_path: Path
) -> None:
    (tmp_path / "store/train/r1/labels_v2/masks.json").unlink()
    with pytest.raises(StoreError, match=r"train/r1/labels_v2 have no masks: put a file"):
        run_job(job, tmp_path / "work")


def test_a_detector_of_boxes_reads_no_masks(job: TrainingJob, tmp_path: Path) -> None:
    for path in (tmp_path / "store").rglob("masks.json"):
        path.write_text("damaged")
    boxes = DetectorConfig.model_validate({"kind": "yolox", "backbone": "lcnet_050"})
    blueprint = job.blueprint.model_copy(update={"detector": boxes})
    settings = job.settings.model_copy(
        update={
            "max_steps": 1,
            "validation": ValidationSettings(every_steps=1, lanes=1, protocol="coco"),
        }
    )
    changed = job.model_copy(update={"blueprint": blueprint, "settings": settings})
    assert run_job(changed, tmp_path / "work").is_file()
