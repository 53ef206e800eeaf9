"""What the evaluation lists for a person to review: mistakes, and labels that may be wrong."""

import shutil
from pathlib import Path

import pytest
from tests.pipelines.test_evaluate import found
from tests.preprocessing.recordings import DATASET

from etram_pipeline.analysis.suspect_rows import SUSPECT_COLUMNS
from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import with_calibrated_scores
from etram_pipeline.pipelines.evaluate.review_nodes import list_label_suspects, list_mistakes
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

SETTINGS = EvaluateSettings.model_validate({"protocols": ["coco"], "split": "train"})


@pytest.fixture
def detections(store: LabelStore, tmp_path: Path) -> DetectionStore:
    """Every label of one recording, and nothing of the other."""
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    tables = [("train/a", found(store, "train/a", 0.9)), ("train/b", found(store, "train/b", None))]
    dataset.save(Prediction(tables, ("car",)))
    loaded = dataset.load()
    assert isinstance(loaded, DetectionStore)
    return loaded


def test_labels_that_nothing_finds_are_mistakes_and_suspects(
    store: LabelStore,
    histograms: RepresentationStore,
    detections: DetectionStore,
) -> None:
    given = detections, store, histograms, DATASET, SETTINGS
    mistakes = list_mistakes(*given)
    labels = store["train/b"].labels
    assert set(mistakes["kind"]) == {"missed"}
    assert set(mistakes["recording"]) == {"train/b"}
    assert sorted(mistakes["time_us"]) == labels["t"].tolist()
    assert mistakes["score"].isna().all()
    suspects = list_label_suspects(*given)
    assert tuple(suspects.columns) == SUSPECT_COLUMNS
    ghosts = suspects[suspects["recording"] == "train/b"]
    assert ghosts["kind"].tolist() == ["ghost_label"] * len(ghosts)
    assert ghosts["moments"].sum() == len(labels)


def test_labels_are_suspected_of_the_same_with_calibrated_scores(
    store: LabelStore,
    histograms: RepresentationStore,
    detections: DetectionStore,
    tmp_path: Path,
) -> None:
    scaling = {"kind": "platt", "slope": 1, "bias": -5}  # 0.9 becomes 0.06
    about = {"protocol": "coco", "choices": "0", "num_detections": 9, "scaling": scaling}
    calibration = Calibration.model_validate(about)
    dataset = DetectionsDataset(path=str(tmp_path / "calibrated"))
    tables = [(key, with_calibrated_scores(detections[key], calibration)) for key in detections]
    dataset.save(Prediction(tables, ("car",), calibration=calibration, are_calibrated=True))
    before, after = (
        list_label_suspects(given, store, histograms, DATASET, SETTINGS)
        for given in (detections, dataset.load())
    )
    same = ["kind", "recording", "start_s", "moments"]
    assert after[same].to_numpy().tolist() == before[same].to_numpy().tolist()


def test_labels_of_recordings_without_histograms_are_not_suspected(
    store: LabelStore,
    detections: DetectionStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(store.root / "train/a", tmp_path / "store/train/a")
    some = RepresentationStore(tmp_path / "store")
    suspects = list_label_suspects(detections, store, some, DATASET, SETTINGS)
    assert "train/b" not in set(suspects["recording"])
    assert "have no histograms (train/b)" in caplog.text


def test_recordings_without_detections_are_refused(
    store: LabelStore,
    histograms: RepresentationStore,
    detections: DetectionStore,
) -> None:
    other = SETTINGS.model_copy(update={"split": "val"})
    for make in (list_mistakes, list_label_suspects):
        with pytest.raises(StoreError, match="have no detections"):
            make(detections, store, histograms, DATASET, other)
