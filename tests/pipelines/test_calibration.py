"""Scores as probabilities, from the detector to the metrics.

The recordings are `train/a`, `train/b` and `val/c`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.preprocessing.recordings import DATASET, preprocess, write_recordings

from etram_pipeline.analysis.calibration import find_calibration
from etram_pipeline.analysis.reliability import CalibrationResult
from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.calibration import CalibrationDataset
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import (
    DETECTION_DTYPE,
    DetectionTable,
    with_calibrated_scores,
)
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.pipelines.evaluate.calibration_nodes import score_calibration
from etram_pipeline.pipelines.predict.nodes import explain_no_calibration, predict_detections
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

Score = Callable[..., CalibrationResult]

NANO = DetectorConfig.model_validate(
    {"kind": "rvt", "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 8}}}
)
CALIBRATION = Calibration.model_validate(
    {
        "protocol": "coco",
        "choices": "0",
        "num_detections": 9,
        "scaling": {"kind": "temperature", "temperature": 0.5},
    }
)
OPERATING = OperatingScores(
    protocol="coco", choices="0", ranking="joint", common=0.25, per_class={"car": 0.75}
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LabelStore:
    """Labelled frames and representations of the three recordings."""
    folder = tmp_path_factory.mktemp("calibration")
    write_recordings(folder / "raw")
    preprocess(folder / "raw", folder / "store")
    return LabelStore(folder / "store")


def found(store: LabelStore, key: str, score: float) -> DetectionTable:
    """Every label of a recording and as many false detections, all with the score given."""
    labels = store[key].labels
    table = np.zeros(2 * len(labels), DETECTION_DTYPE)
    for name in labels.dtype.names or ():
        table[name] = np.tile(labels[name], 2)
    table["x"][len(labels) :] = 80
    table["score"] = table["class_score"] = table["class_confidence"] = score
    return table


@pytest.fixture
def score(store: LabelStore, tmp_path: Path) -> Score:
    """Measures the calibration of detections with one score in each recording."""

    def run(
        scores: Mapping[str, float], split: str = "train", **about: object
    ) -> CalibrationResult:
        dataset = DetectionsDataset(path=str(tmp_path / "detections"))
        tables = [(key, found(store, key, each)) for key, each in scores.items()]
        dataset.save(replace(Prediction(tables, ("car",)), **about))  # type: ignore[arg-type]
        settings = EvaluateSettings.model_validate({"protocols": ["coco"], "split": split})
        return score_calibration(dataset.load(), store, DATASET, settings)["coco"]

    return run


def test_the_scaling_is_fitted_to_stored_detections_of_validation(score: Score) -> None:
    result = score({"train/a": 0.75, "train/b": 0.75, "val/c": 0.75}, calibration=CALIBRATION)
    assert (result.split, result.overall.num_detections) == ("train", 36)
    assert result.overall.ece == pytest.approx(0.25)  # half of them are right
    assert result.calibration is not None
    assert result.calibration.num_detections == 18
    assert result.scaled_overall is not None
    assert result.scaled_overall.ece < 0.1
    assert result.no_calibration == ""


def test_without_them_it_is_that_of_the_checkpoint(score: Score, store: LabelStore) -> None:
    val = {"val/c": store["val/c"].labels}, {"val/c": found(store, "val/c", 0.75)}
    known = find_calibration(*val, "coco", ("car",))
    result = score({"train/a": 0.75, "train/b": 0.75}, calibration=known)
    assert result.calibration == known
    of_others = score({"train/a": 0.75, "train/b": 0.75}, calibration=CALIBRATION)
    assert of_others.calibration is None  # found by other choices


@pytest.mark.parametrize(
    ("scores", "split", "reason"),
    [
        ({"train/a": 0.75, "train/b": 0.75}, "train", "add val to predict.splits"),
        ({"val/c": 0.75}, "val", "set evaluate.split to test"),
        ({"train/a": 0.75, "train/b": 0.75, "val/c": 0.0}, "train", "train for longer"),
    ],
)
def test_the_result_says_why_there_is_no_scaling(
    score: Score, scores: dict[str, float], split: str, reason: str
) -> None:
    result = score(scores, split)
    assert result.scaled_overall is None
    assert reason in result.no_calibration


def test_scores_of_other_programs_may_be_beyond_1(score: Score, tmp_path: Path) -> None:
    result = score({"train/a": 87.0, "train/b": 87.0, "val/c": 87.0})
    assert result.scaled_overall is not None
    assert result.scaled_overall.ece == pytest.approx(0.5, abs=0.001)  # they count as 1
    dataset = CalibrationDataset(filepath=str(tmp_path / "calibration.json"))
    dataset.save({"coco": result})
    assert dataset.load() == {"coco": result}


def test_calibrated_detections_are_measured_as_they_are(score: Score) -> None:
    result = score(
        {"train/a": 0.75, "train/b": 0.01, "val/c": 0.75},
        calibration=CALIBRATION,
        are_calibrated=True,
    )
    assert result.are_calibrated
    assert (result.scaled_overall, result.no_calibration) == (None, "")
    assert result.lowest_score == CALIBRATION.of(0.05)
    assert result.overall.num_detections == 36  # 0.01 is the score of about 0.1 before


def test_the_file_holds_the_result(score: Score, tmp_path: Path) -> None:
    result = score({"train/a": 0.75, "train/b": 0.75, "val/c": 0.75})
    dataset = CalibrationDataset(filepath=str(tmp_path / "calibration.json"))
    dataset.save({"coco": result})
    assert dataset.load() == {"coco": result}
    numbers = dataset.numbers({"coco": result})
    assert numbers["train/coco/calibration/ece"] == pytest.approx(0.25)
    assert "train/coco/car/calibration/scaled_ece" in numbers
    assert [row[:3] for row in dataset.preview()["data"]] == [
        ["coco", "all", 36],
        ["coco", "car", 36],
    ]


@pytest.fixture(scope="module")
def detector_file(store: LabelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a detector that is calibrated."""
    channels = next(iter(RepresentationStore(store.root).values())).channels
    path = tmp_path_factory.mktemp("detector") / "detector.ckpt"
    detector = NANO.build(channels, 1)
    about = {"operating_scores": OPERATING, "calibration": CALIBRATION}
    write_checkpoint(path, Checkpoint(detector, NANO, channels, ("car",), 1, **about))  # type: ignore[arg-type]
    return path


def predicted(
    store: LabelStore, checkpoint: Path, folder: Path, **settings: object
) -> DetectionStore:
    """What the predict pipeline saves."""
    given = {"splits": ["val"], "device": "cpu", "suppression": {"score_threshold": 0}, **settings}
    dataset = DetectionsDataset(path=str(folder / "detections"))
    histograms = RepresentationStore(store.root)
    predict = PredictSettings.model_validate(given)
    dataset.save(predict_detections(histograms, checkpoint, DATASET, predict, folder))
    loaded = dataset.load()
    assert isinstance(loaded, DetectionStore)
    return loaded


def test_predicting_scales_scores_and_operating_scores_when_asked(
    store: LabelStore, detector_file: Path, tmp_path: Path
) -> None:
    before = predicted(store, detector_file, tmp_path / "before")
    after = predicted(store, detector_file, tmp_path / "after", calibrated=True)
    assert len(before["val/c"]) > 10
    np.testing.assert_array_equal(
        after["val/c"], with_calibrated_scores(before["val/c"], CALIBRATION)
    )
    assert after["val/c"]["score"].dtype == np.float64
    for name in ("x", "y", "w", "h", "t", "class_id", "objectness", "class_score"):
        np.testing.assert_array_equal(after["val/c"][name], before["val/c"][name])
    assert (before.are_calibrated, after.are_calibrated) == (False, True)
    assert before.operating_scores == OPERATING
    assert after.operating_scores == CALIBRATION.operating_scores(OPERATING)
    assert before.calibration == after.calibration == CALIBRATION
    assert fingerprint(before) != fingerprint(after)  # tracks are made again


@pytest.mark.parametrize("is_exported", [False, True])
def test_a_detector_without_calibration_says_how_to_get_one(is_exported: bool) -> None:  # noqa: FBT001
    message = explain_no_calibration(Path("old.ckpt"), is_exported=is_exported)
    remedy = "use the checkpoint that it was exported from" if is_exported else "train.start_from"
    assert message.startswith("predict.calibrated is true, but old.ckpt has no calibration")
    assert remedy in message


def test_it_is_refused(store: LabelStore, tmp_path: Path) -> None:
    channels = next(iter(RepresentationStore(store.root).values())).channels
    path = tmp_path / "old.ckpt"
    write_checkpoint(path, Checkpoint(NANO.build(channels, 1), NANO, channels, ("car",), 1))
    with pytest.raises(CheckpointError, match=r"old\.ckpt has no calibration"):
        predicted(store, path, tmp_path, calibrated=True)


def test_settings_that_change_nothing_are_not_part_of_a_fingerprint() -> None:
    assert "calibrated" not in PredictSettings().model_dump()
    assert PredictSettings(calibrated=True).model_dump()["calibrated"] is True
    assert "scaling" not in EvaluateSettings().model_dump()
