"""Detections on exported pictures come back as COCO results with the metrics they have here."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.export.conftest import DATASET, MakeExport, Write

from etram_pipeline.evaluation import evaluate
from etram_pipeline.labels.detection_files.content import read_detections
from etram_pipeline.labels.detection_files.known import KnownRecordings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.stores.label_store import LabelStore


def detect(labels: LabelTable, seed: int) -> DetectionTable:
    """Labels that were moved a little."""
    random = np.random.default_rng(seed)
    found = np.zeros(len(labels), DETECTION_DTYPE)
    for name in labels.dtype.names or ():
        found[name] = labels[name]
    found["x"] += random.normal(0, 0.8, len(found))
    found["score"] = random.uniform(0, 1, len(found))
    found["class_score"] = found["class_confidence"] = found["score"]
    found["objectness"] = 1
    return found


@pytest.mark.parametrize("image_id", ["id", "file_name"])
def test_exported_pictures_lead_back_to_their_moments(
    root: Path, street: MakeExport, write: Write, tmp_path: Path, image_id: str
) -> None:
    export = street()
    write(export)
    annotations = root / "annotations" / "instances_train.json"
    image_of = {
        (each["recording"], each["t_us"]): each
        for each in json.loads(annotations.read_text())["images"]
    }
    store: LabelStore = export.labels
    labels = {key: store[key].labels for key in ("train/a", "train/b")}
    detections = {key: detect(table, len(key)) for key, table in labels.items()}
    entries = [
        {
            "image_id": image_of[key, int(row["t"])][image_id],
            "category_id": int(row["class_id"]) + 1,
            "bbox": [float(row[side]) / 2 for side in "xywh"],
            "score": float(row["score"]),
        }
        for key, table in detections.items()
        for row in table
    ]
    (tmp_path / "results.json").write_text(json.dumps(entries))

    known = KnownRecordings(tuple(store), DATASET, annotations)
    found = read_detections(tmp_path / "results.json", known)

    assert sorted(found) == ["train/a", "train/b"]
    here, back = (
        evaluate(labels, tables, "coco", DATASET.class_names) for tables in (detections, found)
    )
    assert 0.1 < here.overall["AP"] < 0.95
    assert back.overall == pytest.approx(here.overall, abs=1e-12)
