"""Files of detections, whose format is found from the content, not from the name."""

import hashlib
from pathlib import Path

from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.fingerprint import file_digest
from etram_pipeline.labels.detection_files.boxes import checked
from etram_pipeline.labels.detection_files.classes import in_classes_of
from etram_pipeline.labels.detection_files.coco_results import is_json, read_results
from etram_pipeline.labels.detection_files.known import FoundDetections, KnownRecordings
from etram_pipeline.labels.detection_files.tables import INDEX, find_tables, read_tables
from etram_pipeline.labels.detections import DetectionTable

FORMATS = (
    "COCO results (a list of image_id, category_id, bbox and score in JSON), .npy tables of "
    "Prophesee, RVT or eTraM, or parquet tables"
)


def read_detections(path: Path, known: KnownRecordings) -> dict[str, DetectionTable]:
    """Detections of a file or folder by recording, with the class ids of the dataset.

    Args:
        path: A file of COCO results, a table of one recording, or a folder of tables.
        known: The labelled recordings that they belong to.

    Returns:
        Tables of the recordings in which a detector looked for objects; empty where it found none.

    Raises:
        LabelError: If the format is unknown, or the detections do not fit the recordings.
    """
    found = _read(path, known)
    return checked(in_classes_of(found, known.dataset, str(path)), known.dataset, str(path))


def check_format(path: Path) -> None:
    """Refuse a path at which no known format is.

    Raises:
        LabelError: If there is nothing, or nothing that can be read; names the known formats.
    """
    if not path.exists():
        raise LabelError(f"there are no detections at {path}: check the path")
    if (path.is_file() and is_json(path)) or find_tables(path):
        return
    if path.is_dir():
        files = [each.name for each in sorted(path.rglob("*")) if each.is_file()]
        results = [each for each in sorted(path.rglob("*.json")) if each.name != INDEX]
        if results:
            raise LabelError(
                f"{path} is a folder with {results[0].name}: name the file itself if it holds COCO "
                "results"
            )
        what = f"holds {', '.join(files[:3])}" if files else "is empty"
        raise LabelError(f"the folder {path} {what}, not detections: give {FORMATS}")
    with path.open("rb") as file:
        start = file.read(20)
    what = f"begins with {start!r}" if start else "is empty"
    raise LabelError(f"{path} {what}, so it holds no detections: give {FORMATS}")


def content_digest(path: Path) -> str:
    """Hash of a file, or of all tables of a folder and their names: sixteen hexadecimal digits."""
    if path.is_file():
        return file_digest(path)
    names = [*find_tables(path), *path.glob(INDEX)]
    parts = [f"{name.relative_to(path)} {file_digest(name)}" for name in sorted(names)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _read(path: Path, known: KnownRecordings) -> FoundDetections:
    check_format(path)
    if path.is_file() and is_json(path):
        return read_results(path, known)
    return read_tables(path, find_tables(path), known)
