"""Where the evaluation takes operating scores from.

The recordings are `train/a`, `train/b` and `val/c`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.preprocessing.recordings import DATASET

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.evaluation import find_operating_scores
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.pipelines.evaluate.nodes import score_detections
from etram_pipeline.pipelines.evaluate.searched import searched_windows
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

Evaluate = Callable[..., Metrics]


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
def evaluate(store: LabelStore, histograms: RepresentationStore, tmp_path: Path) -> Evaluate:
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
        _, metrics = score_detections(dataset.load(), store, histograms, DATASET, settings)
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
    store: LabelStore, histograms: RepresentationStore, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    settings = EvaluateSettings.model_validate({"protocols": ["coco"], "split": "train"})
    for key, score in (("train/a", 0.5), ("train/b", 0.25)):
        np.save(folder / f"{key[-1]}.npy", found(store, key, score))
    detections = DetectionsDataset(path="own", read_from={"path": str(folder)}).load()
    metrics = score_detections(detections, store, histograms, DATASET, settings)[1]["coco"]
    assert metrics.overall["AP"] == 1
    assert metrics.no_operating_point == (
        "operating scores of these detections are not known: add detections of all labelled "
        f"recordings of val to {folder}"
    )
    np.save(folder / "c.npy", found(store, "val/c", 0.375))
    detections = DetectionsDataset(path="own", read_from={"path": str(folder)}).load()
    point = score_detections(detections, store, histograms, DATASET, settings)[1][
        "coco"
    ].operating_point
    assert point is not None
    assert point.overall.score == 0.375


LIVE = {"like": "coco", "name": "live", "latency_ms": 40}
"""Windows end every 50 ms, every second of them at a label; boxes stay where they are."""


def test_a_latency_takes_the_boxes_of_the_newest_window_that_was_computed(
    store: LabelStore, histograms: RepresentationStore, tmp_path: Path
) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    tables = {}
    for key, score in (("train/a", 0.5), ("train/b", 0.25), ("val/c", 0.5)):
        early = found(store, key, score)
        early["t"] -= 50_000
        tables[key] = found(store, key, score) if key == "train/b" else early
    dataset.save(Prediction(tables.items(), ("car",)))
    settings = EvaluateSettings.model_validate({"protocols": ["coco", LIVE], "split": "train"})
    _, metrics = score_detections(dataset.load(), store, histograms, DATASET, settings)
    # 40 ms after the end of a window, the boxes of `train/a` are known at the next label; those
    # of `train/b` are followed by a window without any.
    assert metrics["live"].overall["AR_100"] == pytest.approx(0.5)
    assert metrics["coco"].overall["AR_100"] == pytest.approx(0.5)
    assert metrics["live"].operating_point is not None
    assert metrics["live"].operating_point.overall.score == 0.5
    assert metrics["coco"].operating_point is None  # in validation, nothing is found at a label


def test_a_latency_needs_detections_in_all_windows(
    store: LabelStore, histograms: RepresentationStore, tmp_path: Path
) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    tables = {key: found(store, key, 0.5) for key in ("train/a", "train/b")}
    dataset.save(Prediction(tables.items(), ("car",)))
    settings = EvaluateSettings.model_validate({"protocols": [LIVE], "split": "train"})
    with pytest.raises(StoreError, match="at labelled frames only, and 16 windows lie between"):
        score_detections(dataset.load(), store, histograms, DATASET, settings)
    nothing = [(key, found(store, key, None)) for key in tables]
    dataset.save(Prediction(nothing, ("car",)))
    _, metrics = score_detections(dataset.load(), store, histograms, DATASET, settings)
    assert metrics["live"].overall["AP"] == 0


def test_another_program_may_have_detected_at_times_of_its_own(
    store: LabelStore, histograms: RepresentationStore, tmp_path: Path
) -> None:
    for key in ("train/a", "train/b"):
        table = found(store, key, 0.5)
        table["t"] -= 45_000
        np.save(tmp_path / f"{key[-1]}.npy", table)
    settings = {"protocols": [LIVE, LIVE | {"name": "slow", "latency_ms": 46}], "split": "train"}
    metrics = score_detections(
        DetectionsDataset(path="own", read_from={"path": str(tmp_path)}).load(),
        store,
        histograms,
        DATASET,
        EvaluateSettings.model_validate(settings),
    )[1]
    assert metrics["live"].num_detections == 18
    assert metrics["slow"].num_detections == 16  # at the first label, nothing is known


def test_recordings_without_windows_are_named(
    store: LabelStore, histograms: RepresentationStore
) -> None:
    tables = {"train/a": found(store, "train/a", 0.5), "train/x": found(store, "train/a", 0.5)}
    with pytest.raises(StoreError, match="'live' needs the windows of train/x, which have no"):
        searched_windows(histograms, tables, "live")
