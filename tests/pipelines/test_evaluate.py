"""Where the evaluation takes operating scores from.

The recordings are `train/a`, `train/b` and `val/c`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.preprocessing.recordings import DATASET, preprocess, write_recordings

from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.evaluation import find_operating_scores
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.pipelines.evaluate.nodes import score_detections
from etram_pipeline.stores.label_store import LabelStore

Evaluate = Callable[..., Metrics]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LabelStore:
    """Labelled frames of the three recordings."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_recordings(folder / "raw")
    preprocess(folder / "raw", folder / "store")
    return LabelStore(folder / "store")


def found(store: LabelStore, key: str, score: float | None) -> DetectionTable:
    """Every label of a recording, with the score given; None: nothing."""
    labels = store[key].labels[: 0 if score is None else None]
    table = np.zeros(len(labels), DETECTION_DTYPE)
    for name in labels.dtype.names or ():
        table[name] = labels[name]
    for name in ("score", "class_confidence", "class_score"):
        table[name] = score or 0
    return table


@pytest.fixture
def evaluate(store: LabelStore, tmp_path: Path) -> Evaluate:
    """Evaluates detections with one score in each recording."""

    def run(
        scores: Mapping[str, float | None],
        known: OperatingScores | None = None,
        split: str = "train",
    ) -> Metrics:
        dataset = DetectionsDataset(path=str(tmp_path / "detections"))
        tables = [(key, found(store, key, score)) for key, score in scores.items()]
        dataset.save(Prediction(tables, ("car",), operating_scores=known))
        settings = EvaluateSettings.model_validate({"protocols": ["coco"], "split": split})
        _, metrics = score_detections(dataset.load(), store, DATASET, settings)
        return metrics["coco"]

    return run


@pytest.fixture
def known(store: LabelStore) -> OperatingScores:
    """Scores of a training whose validation found everything with a score of 0.25."""
    labels = {"val/c": store["val/c"].labels}
    scores = find_operating_scores(labels, {"val/c": found(store, "val/c", 0.25)}, "coco", ("car",))
    assert scores is not None
    assert scores.common == 0.25
    return scores


def test_stored_detections_of_validation_give_the_scores(
    evaluate: Evaluate, known: OperatingScores
) -> None:
    metrics = evaluate({"train/a": 0.5, "train/b": 0.125, "val/c": 0.375}, known)
    assert metrics.operating_point is not None
    point = metrics.operating_point.overall
    assert (point.score, point.precision, point.recall) == (0.375, 1, 0.5)
    assert metrics.no_operating_point == ""


def test_without_them_the_scores_are_those_of_the_training(
    evaluate: Evaluate, known: OperatingScores
) -> None:
    metrics = evaluate({"train/a": 0.5, "train/b": 0.25}, known)
    assert metrics.operating_point is not None
    assert metrics.operating_point.overall.score == 0.25
    assert metrics.operating_point.overall.f1 == 1


def test_without_either_the_metrics_say_what_to_do(evaluate: Evaluate) -> None:
    metrics = evaluate({"train/a": 0.5, "train/b": 0.25})
    assert metrics.operating_point is None
    assert metrics.no_operating_point == (
        "operating scores of this protocol are not known: add val to predict.splits and run "
        "`kedro run --pipelines predict,evaluate,report`"
    )


def test_scores_of_another_protocol_are_not_used(
    evaluate: Evaluate, known: OperatingScores
) -> None:
    other = known.model_copy(update={"choices": "of another protocol"})
    metrics = evaluate({"train/a": 0.5, "train/b": 0.25}, other)
    assert metrics.operating_point is None
    assert "add val to predict.splits" in metrics.no_operating_point


def test_scores_never_come_from_the_evaluated_recordings(
    evaluate: Evaluate, known: OperatingScores
) -> None:
    metrics = evaluate({"val/c": 0.5}, known, split="val")
    assert metrics.operating_point is None
    assert "set evaluate.split to test" in metrics.no_operating_point


def test_a_detector_that_finds_nothing_in_validation_has_no_scores(evaluate: Evaluate) -> None:
    metrics = evaluate({"train/a": 0.5, "train/b": 0.25, "val/c": None})
    assert metrics.operating_point is None
    assert "no detection in the validation recordings is right" in metrics.no_operating_point


def test_detections_from_elsewhere_say_where_operating_scores_come_from(
    store: LabelStore, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    settings = EvaluateSettings.model_validate({"protocols": ["coco"], "split": "train"})
    for key, score in (("train/a", 0.5), ("train/b", 0.25)):
        np.save(folder / f"{key[-1]}.npy", found(store, key, score))
    detections = DetectionsDataset(path="own", read_from={"path": str(folder)}).load()
    metrics = score_detections(detections, store, DATASET, settings)[1]["coco"]
    assert metrics.overall["AP"] == 1
    assert metrics.no_operating_point == (
        "operating scores of these detections are not known: add detections of all labelled "
        f"recordings of val to {folder}"
    )
    np.save(folder / "c.npy", found(store, "val/c", 0.375))
    detections = DetectionsDataset(path="own", read_from={"path": str(folder)}).load()
    point = score_detections(detections, store, DATASET, settings)[1]["coco"].operating_point
    assert point is not None
    assert point.overall.score == 0.375
