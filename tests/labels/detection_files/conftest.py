"""Detections of three recordings, and the labels that they are compared with."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.labels.detection_files.known import KnownRecordings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

DATASET = DatasetSettings(height=720, width=1280, class_names=("pedestrian", "car", "tram"))
KEYS = ("test/street_day", "test/street_night", "val/crossing")
SCALE = 2
"""Sensor pixels per pixel of a picture."""

WriteJson = Callable[..., Path]


@pytest.fixture(scope="session")
def labels() -> dict[str, LabelTable]:
    """Labels of each recording: four boxes at each of twenty moments."""
    found = {}
    for number, key in enumerate(KEYS):
        random = np.random.default_rng(number)
        table = np.zeros(80, LABEL_DTYPE)
        table["t"] = np.repeat(100_000 * np.arange(6, 26), 4)
        table["x"], table["y"] = random.uniform(0, 1100, 80), random.uniform(0, 600, 80)
        table["w"], table["h"] = random.uniform(20, 150, 80), random.uniform(20, 100, 80)
        table["class_id"] = random.integers(0, 3, 80)
        found[key] = table
    return found


@pytest.fixture(scope="session")
def detections(labels: dict[str, LabelTable]) -> dict[str, DetectionTable]:
    """Moved labels, three of four of the right class, without those of the last moments."""
    found = {}
    for key, truth in labels.items():
        random = np.random.default_rng(len(key))
        table = np.zeros(70, DETECTION_DTYPE)
        for name in LABEL_DTYPE.names or ():
            table[name] = truth[name][:70]
        table["x"] += random.normal(0, 6, 70)
        table["y"] += random.normal(0, 6, 70)
        table["class_id"][::4] = 1
        table["score"] = random.uniform(0.001, 1, 70)
        table["class_score"] = table["class_confidence"] = table["score"]
        table["objectness"] = 1
        found[key] = table
    return found


@pytest.fixture
def known() -> KnownRecordings:
    """The recordings, without an annotation file."""
    return KnownRecordings(KEYS, DATASET)


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    """Writes a file, `results.json` by default."""

    def write(content: object, name: str = "results.json") -> Path:
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return write


def coco_results(
    tables: Mapping[str, DetectionTable],
    image_of: Callable[[str, int], int | str],
    first_category: int = 1,
    scale: int = SCALE,
) -> list[dict[str, Any]]:
    """Entries of COCO's results, in px of pictures of a smaller size."""
    return [
        {
            "image_id": image_of(key, int(row["t"])),
            "category_id": int(row["class_id"]) + first_category,
            "bbox": [float(row[side]) / scale for side in "xywh"],
            "score": float(row["score"]),
        }
        for key, table in tables.items()
        for row in table
    ]


def coco_images(labels: Mapping[str, LabelTable]) -> dict[tuple[str, int], dict[str, Any]]:
    """Images of an annotation file as `export` writes them, by recording and time."""
    moments = [(key, int(time)) for key in labels for time in np.unique(labels[key]["t"])]
    size = {"width": DATASET.width // SCALE, "height": DATASET.height // SCALE}
    return {
        (key, time): {
            "id": number,
            "file_name": f"{key.split('/')[1]}_{time:010}.png",
            **size,
            "recording": key,
            "t_us": time,
        }
        for number, (key, time) in enumerate(moments, start=1)
    }


def categories(first: int = 1) -> list[dict[str, Any]]:
    """Categories of an annotation file."""
    return [{"id": number, "name": name} for number, name in enumerate(DATASET.class_names, first)]
