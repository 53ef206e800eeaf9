"""Files that cannot be evaluated are refused with what was found and what to do."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.labels.detection_files.conftest import DATASET, KEYS, WriteJson, categories

from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.detection_files.content import read_detections
from etram_pipeline.labels.detection_files.known import KnownRecordings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE

NAME = "street_day_0000600000.png"


def entry(**changes: object) -> dict[str, Any]:
    """A valid entry of COCO's results with other values."""
    valid = {"image_id": NAME, "category_id": 0, "bbox": [10, 20, 30, 40], "score": 0.5}
    return {key: value for key, value in (valid | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(image_id=7)], "1 of 1 image (7) of which nothing says which"),
        ([entry(image_id="000012.jpg")], "image ('000012.jpg') of which nothing"),
        (
            [entry(image_id="bridge_0000600000")],
            "no image belongs to a labelled recording; the images show 'bridge', and",
        ),
        ([entry(image_id="street_day_" + "9" * 25)], "of which nothing says which moment"),
        ([entry(score=None)], "entry 1 is"),
        ([entry(), entry(bbox=[1, 2, 3])], "entry 2 is"),
        ([entry(), entry(bbox=None)], "entry 2 is"),
        ([entry(category_id="car")], "entry 1 is"),
        ([entry(category_id=-1)], "category ids from -1 to 0"),
        (
            [entry(category_id=2)],
            "ids 2, which may count the 3 classes of",
        ),
        (
            [entry(category_id=0), entry(category_id=3)],
            "class ids 0, 3, but the 3 classes of",
        ),
        ([entry(score=1.5)], "`score` from 1.5 to 1.5, but they must be probabilities"),
        ([entry(score=-4)], "`score` from -4 to -4"),
        ([entry(bbox=[0.1, 0.1, 0.2, 0.2])], "boxes seem to be fractions"),
        ([entry(bbox=[1400, 20, 30, 40])], "lie off the sensor of 720 x 1280 px"),
        ([entry(), 3], "a list of 2 items, of which 1 have an `image_id`"),
        ({"images": [], "annotations": []}, "an object with the keys images, annotations"),
        (entry(), "holds one entry"),
    ],
)
def test_results_are_refused(
    known: KnownRecordings, write_json: WriteJson, entries: object, message: str
) -> None:
    with pytest.raises(LabelError, match=re.escape(message)):
        read_detections(write_json(entries), known)


IMAGE = {"id": 1, "file_name": NAME, "width": 640, "height": 360}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "has a list, but a COCO annotation file has `images`"),
        ({"categories": []}, "has the keys categories, but"),
        ({"images": [{"file_name": NAME}]}, "an image without an `id`"),
        ({"images": [IMAGE, IMAGE]}, "two images with the id 1"),
        (
            {"images": [IMAGE, IMAGE | {"id": 2}]},
            "images 1 and 2 both show test/street_day",
        ),
        (
            {"images": [IMAGE | {"file_name": "7.png"}]},
            "moment image 1 ('7.png') shows: name",
        ),
        (
            {"images": [IMAGE | {"width": 360}]},
            "which do not have the proportions",
        ),
        ({"images": [IMAGE | {"width": 0}]}, "an image of 0 x 360 px"),
        ({"images": [IMAGE], "categories": [{"id": 1}]}, "a category without `id`, a whole num"),
        ({"images": [IMAGE], "categories": [{"id": 1.7, "name": "car"}]}, "`name`: {'id': 1.7"),
        (
            {
                "images": [IMAGE],
                "categories": [{"id": 1, "name": name} for name in ("car", "tram")],
            },
            "two categories with the id 1, car and tram: number them differently",
        ),
        ({"images": [IMAGE | {"width": math.inf, "height": math.inf}]}, "of inf x inf px"),
        (
            {"images": [{"id": 1, "recording": KEYS[0], "t_us": 10**30}]},
            "does not say which moment image 1",
        ),
        (
            {"images": [IMAGE | {"id": 3}]},
            "instances.json does not have; its images are 3: give",
        ),
        (
            {"images": [IMAGE], "categories": categories()},
            "class ids 0, but the classes are 1 pedestrian, 2 car, 3 tram",
        ),
        (
            {"images": [IMAGE], "categories": [{"id": 0, "name": "horse"}]},
            "has the classes horse, and `dataset` has pedestrian, car, tram, but none has the same "
            "name: use the names of `dataset`",
        ),
    ],
)
def test_annotation_files_are_refused(write_json: WriteJson, content: object, message: str) -> None:
    known = KnownRecordings(KEYS, DATASET, write_json(content, "instances.json"))
    with pytest.raises(LabelError, match=re.escape(message)):
        read_detections(write_json([entry(image_id=1)]), known)


@pytest.mark.parametrize("text", ["{", "[1, ", "nothing", "[" * 100_000])
def test_damaged_files_are_refused(write_json: WriteJson, tmp_path: Path, text: str) -> None:
    images = tmp_path / "instances.json"
    known = KnownRecordings(KEYS, DATASET, images)
    results = write_json([entry()])
    with pytest.raises(LabelError, match=r"instances\.json, the annotation .*, cannot be read"):
        read_detections(results, known)
    images.write_text(text)
    with pytest.raises(LabelError, match=r"instances\.json, the annotation file .*, is no JSON"):
        read_detections(results, known)


def rows(**columns: object) -> DetectionTable:
    """Two valid detections with other values."""
    table = np.zeros(2, DETECTION_DTYPE)
    table["t"] = 600_000
    table["x"], table["y"], table["w"], table["h"] = 10, 20, 30, 40
    table["objectness"] = 1
    table["score"] = table["class_score"] = table["class_confidence"] = [0.5, 0.25]
    for name, values in columns.items():
        table[name] = values
    return table


def with_scores(kind: str) -> np.ndarray:
    """The detections with scores of another kind."""
    names = ("t", "x", "y", "w", "h", "class_id", "score")
    table = np.zeros(2, [(name, DETECTION_DTYPE[name]) for name in names[:-1]] + [("score", kind)])
    for name in names[:-1]:
        table[name] = rows()[name]
    return table


def save(name: str, content: np.ndarray) -> Callable[[Path], None]:
    """Writes an array to a file below a folder."""

    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, content)

    return write


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (save("bridge.npy", rows()), "found bridge.npy, but the recordings are test/street_day"),
        (save("street_day.npy", np.ones((2, 8))), "must hold a one-dimensional structured array"),
        (
            save("street_day.npy", rows()[["t", "x", "y", "w", "h", "class_id"]]),
            "t, x, y, w, h, class_id, but no scores: add a column `score`",
        ),
        (
            save("street_day.npy", rows()[["x", "score"]]),
            "lacks ['class_id', 'h', 't', 'w', 'y']",
        ),
        (
            save("street_day.npy", rows(class_id=[1, 3])),
            "0 to 2: they seem to count from 1; subtract 1",
        ),
        (
            save("street_day.npy", with_scores("U4")),
            "has <U4 in column 'score', but must have numbers",
        ),
        (
            save("street_day.npy", with_scores("c8")),
            "has complex64 in column 'score', but must have numbers",
        ),
        (save("street_day.npy", rows(class_score=7)), "`class_score` from 7 to 7"),
        (lambda _: None, "is empty, not detections: give COCO results"),
        (lambda folder: (folder / "a.txt").write_text("0 0.1"), "holds a.txt, not detections"),
        (lambda folder: (folder / "a.json").write_text("[]"), "name the file itself"),
        (
            lambda folder: [
                save(f"{end}/street_day.npy", rows())(folder) for end in ("one", "two")
            ],
            "both of the recording test/street_day",
        ),
    ],
)
def test_tables_are_refused(
    known: KnownRecordings, tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    write(folder)
    with pytest.raises(LabelError, match=re.escape(message)):
        read_detections(folder, known)


def test_other_paths_are_refused(known: KnownRecordings, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="there are no detections at"):
        read_detections(tmp_path / "missing", known)
    (tmp_path / "a.csv").write_text("t,x,y")
    with pytest.raises(LabelError, match=r"a\.csv begins with b't,x,y', so it holds no detections"):
        read_detections(tmp_path / "a.csv", known)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(LabelError, match=r"a\.csv is empty, so"):
        read_detections(tmp_path / "a.csv", known)


def test_a_name_in_two_splits_needs_the_folder_of_the_split(tmp_path: Path) -> None:
    known = KnownRecordings(("test/street", "val/street"), DATASET)
    save("street.npy", rows())(tmp_path)
    with pytest.raises(LabelError, match="may belong to test/street or val/street: put it into"):
        read_detections(tmp_path, known)
    (tmp_path / "val").mkdir()
    (tmp_path / "street.npy").rename(tmp_path / "val" / "street.npy")
    assert list(read_detections(tmp_path, known)) == ["val/street"]


def test_invalid_boxes_are_left_out_and_repeated_ones_stay(
    known: KnownRecordings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = np.concatenate([rows(), rows()[:1], rows(x=np.nan), rows(w=-1), rows(score=np.inf)])
    save("street_day.npy", table)(tmp_path)
    found = read_detections(tmp_path, known)["test/street_day"]
    assert found["score"].tolist() == [0.5, 0.25, 0.5]
    assert "6 of 9 detections have a position, size or score that is not finite" in caplog.text
    assert "1 of 3 detections repeat another one exactly" in caplog.text


def test_labels_given_as_detections_are_noticed(
    known: KnownRecordings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = np.zeros(2, LABEL_DTYPE)
    labels["x"], labels["w"], labels["h"], labels["class_confidence"] = 10, 30, 40, 1
    save("street_day_bbox.npy", labels)(tmp_path)
    read_detections(tmp_path, known)
    assert "gives all 2 boxes the score 1: are these labels" in caplog.text


def test_an_empty_list_is_no_fault(
    known: KnownRecordings, write_json: WriteJson, caplog: pytest.LogCaptureFixture
) -> None:
    found = read_detections(write_json([]), known)
    assert {key: len(table) for key, table in found.items()} == dict.fromkeys(KEYS, 0)
    assert "holds no detection: every label counts as missed" in caplog.text


def test_huge_and_negative_categories_that_nothing_uses_do_no_harm(write_json: WriteJson) -> None:
    unused = [{"id": 10**13, "name": "bus"}, {"id": -1, "name": "car"}]
    content = {"images": [IMAGE], "categories": [{"id": 1, "name": "car"}, *unused]}
    known = KnownRecordings(KEYS, DATASET, write_json(content, "instances.json"))
    found = read_detections(write_json([entry(image_id=1, category_id=1)]), known)
    (table,) = [each for each in found.values() if len(each)]
    assert table["class_id"].tolist() == [DATASET.detected_classes.index("car")]


def test_results_nested_too_deeply_are_refused(known: KnownRecordings, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[" * 100_000)
    with pytest.raises(LabelError, match=r"results\.json is no JSON"):
        read_detections(tmp_path / "results.json", known)
