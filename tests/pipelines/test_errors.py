"""Costs of mistakes and breakdowns of stored detections, and their files.

The recordings are `train/a`, `train/b` and `val/c`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.pipelines.test_evaluate import found
from tests.preprocessing.recordings import DATASET

from etram_pipeline.datasets.detection_store import DetectionSource
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.datasets.errors import ErrorsDataset
from etram_pipeline.datasets.tables import TableDataset
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.pipelines.evaluate.error_nodes import break_down, measure_mistakes
from etram_pipeline.reports.breakdowns import draw_breakdown_figures
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

SETTINGS = EvaluateSettings.model_validate({"protocols": ["coco"], "split": "train"})


Detect = Callable[..., DetectionSource]


@pytest.fixture
def detect(store: LabelStore, tmp_path: Path) -> Detect:
    """Detections of every label in recordings, and of none in the others."""

    def run(*keys: str, score: float = 0.5) -> DetectionSource:
        dataset = DetectionsDataset(path=str(tmp_path / "detections"))
        tables = [(key, found(store, key, score if key in keys else None)) for key in store]
        dataset.save(Prediction(tables, ("car",)))
        return dataset.load()

    return run


def test_what_is_not_detected_is_missed_and_costs_what_it_lacks(
    store: LabelStore, histograms: RepresentationStore, detect: Detect, tmp_path: Path
) -> None:
    reports = measure_mistakes(detect("train/a"), store, histograms, DATASET, SETTINGS)
    overall = reports["coco"].overall
    num_labels = [len(store[key].labels) for key in ("train/a", "train/b")]
    assert overall.main == "missed"
    assert overall.counts["missed"] == num_labels[1]
    assert overall.average_precision + overall.gains["missed"] == pytest.approx(1)
    dataset = ErrorsDataset(filepath=str(tmp_path / "errors.json"))
    dataset.save(reports)
    assert dataset.load() == reports
    numbers = dataset.numbers(reports)
    assert numbers["train/coco/errors/missed"] == overall.gains["missed"]
    assert ["coco", "missed", overall.gains["missed"], num_labels[1]] in dataset.preview()["data"]
    (tmp_path / "errors.json").write_text("{")
    with pytest.raises(DatasetError, match="is damaged: run `kedro run --pipelines evaluate`"):
        dataset.load()


def test_the_table_of_breakdowns_is_drawn_from_its_file_as_it_was_made(
    store: LabelStore, histograms: RepresentationStore, detect: Detect, tmp_path: Path
) -> None:
    table, numbers = break_down(detect("train/a", "val/c"), store, histograms, DATASET, SETTINGS)
    by_recording = table[table.attribute == "recording"].set_index("bin")
    assert by_recording.recall.to_dict() == {"train/a": 1, "train/b": 0}
    assert by_recording.average_precision.to_dict() == {"train/a": 1, "train/b": 0}
    assert set(table.score) == {0.5}  # the operating point of `val/c`
    assert {"event_density", "occlusion", "border_distance"} <= set(table.attribute)
    assert all(name.startswith("train/coco/breakdowns/") for name in numbers)
    dataset = TableDataset(filepath=str(tmp_path / "breakdowns.csv"))
    dataset.save(table)
    loaded = dataset.load()
    assert loaded.num_labels.tolist() == table.num_labels.tolist()
    assert "breakdowns" in draw_breakdown_figures(loaded.to_dict("records"))


def test_without_a_label_that_counts_nothing_is_broken_down(
    store: LabelStore, histograms: RepresentationStore, detect: Detect, tmp_path: Path
) -> None:
    late = {"like": "coco", "name": "late", "start_us": 10**9}
    settings = EvaluateSettings.model_validate({"protocols": [late], "split": "train"})
    table, numbers = break_down(detect("train/a", "val/c"), store, histograms, DATASET, settings)
    assert (len(table), numbers) == (0, {})
    dataset = TableDataset(filepath=str(tmp_path / "breakdowns.csv"))
    dataset.save(table)
    assert draw_breakdown_figures(dataset.load().to_dict("records")) == {}


def test_without_an_operating_point_all_detections_count(
    store: LabelStore, histograms: RepresentationStore, detect: Detect, tmp_path: Path
) -> None:
    table, _ = break_down(detect("train/a", score=0.001), store, histograms, DATASET, SETTINGS)
    by_recording = table[table.attribute == "recording"].set_index("bin")
    assert by_recording.recall.to_dict() == {"train/a": 1, "train/b": 0}
    dataset = TableDataset(filepath=str(tmp_path / "breakdowns.csv"))
    dataset.save(table)
    assert dataset.load().score.isna().all()
    assert draw_breakdown_figures(dataset.load().to_dict("records"))
