"""RVT's protocols for Gen1 and 1 Mpx against pycocotools, with RVT's filters written out here."""

import contextlib
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from etram_pipeline.evaluation.scoring import evaluate
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.table import LABEL_DTYPE

Table = npt.NDArray[Any]
STEP_US = 250_000


def random_tables(seed: int, height: int, width: int, num_classes: int) -> tuple[Table, Table]:
    """Labels at 4 Hz, and detections at the same times of which some overlap them."""
    random = np.random.default_rng(seed)
    labels = np.zeros(300, LABEL_DTYPE)
    labels["t"] = np.sort(random.integers(1, 41, len(labels))) * STEP_US
    for name, limit in {"x": width, "y": height}.items():
        labels[name] = random.uniform(0, 0.8 * limit, len(labels))
    labels["w"], labels["h"] = random.uniform(4, height / 2, (2, len(labels)))
    labels["class_id"] = random.integers(0, num_classes, len(labels))
    found = np.zeros(2 * len(labels), DETECTION_DTYPE)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        found[name] = np.repeat(labels[name], 2)
    for name in ("x", "y", "w", "h"):
        found[name] += random.normal(0, 4, len(found)).astype(np.float32)
    found["w"], found["h"] = found["w"].clip(1), found["h"].clip(1)
    wrong = random.random(len(found)) < 0.2
    found["class_id"][wrong] = random.integers(0, num_classes, wrong.sum())
    found["class_confidence"] = random.permutation(len(found)) / len(found)
    found["class_score"], found["objectness"] = found["class_confidence"], random.random(len(found))
    found["score"] = found["class_score"] * found["objectness"]
    return labels, found


def counted(table: Table, scale: float, num_classes: int) -> Table:
    """Boxes that RVT scores, in px of its frames."""
    scaled = table.copy()
    for name in ("x", "y", "w", "h"):
        scaled[name] *= scale
    w, h = scaled["w"], scaled["h"]
    large = (w >= 10) & (h >= 10) & (w**2 + h**2 >= 30**2)
    kept: Table = scaled[large & (table["t"] > 500_000) & (table["class_id"] < num_classes)]
    return kept


def score_with_pycocotools(labels: Table, found: Table, num_classes: int) -> list[float]:
    """The six values that RVT reports."""
    moments = sorted({int(t) for t in labels["t"]})

    def boxes(table: Table) -> list[dict[str, Any]]:
        return [
            {
                "id": number,
                "image_id": moments.index(int(row["t"])) + 1,
                "category_id": int(row["class_id"]) + 1,
                "bbox": [float(row[name]) for name in ("x", "y", "w", "h")],
                "area": float(row["w"] * row["h"]),
                "iscrowd": 0,
            }
            for number, row in enumerate(table, start=1)
            if int(row["t"]) in moments
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": index + 1} for index in range(len(moments))],
            "categories": [{"id": index + 1} for index in range(num_classes)],
            "annotations": boxes(labels),
        }
        truth.createIndex()
        scores = found["class_confidence"][np.isin(found["t"], moments)]
        results = [
            each | {"score": float(score)} for each, score in zip(boxes(found), scores, strict=True)
        ]
        scoring = COCOeval(truth, truth.loadRes(results), "bbox")
        scoring.evaluate()
        scoring.accumulate()
        scoring.summarize()
    return [float(value) for value in scoring.stats[:6]]


@pytest.mark.parametrize(
    ("name", "size", "scale", "num_classes", "num_in_files"),
    [("rvt_gen1", (240, 304), 1.0, 2, 2), ("rvt_gen4", (720, 1280), 0.5, 3, 7)],
)
def test_values_are_those_of_rvt(
    name: str, size: tuple[int, int], scale: float, num_classes: int, num_in_files: int
) -> None:
    labels, found = random_tables(7, *size, num_in_files)

    metrics = evaluate({"test/a": labels}, {"test/a": found}, name)

    expected = score_with_pycocotools(
        counted(labels, scale, num_classes), counted(found, scale, num_classes), num_classes
    )
    ours = [metrics.overall[key] for key in ("AP", "AP_50", "AP_75", "AP_S", "AP_M", "AP_L")]
    assert ours == pytest.approx(expected, abs=1e-12)
    assert 0.05 < ours[0] < 0.95
