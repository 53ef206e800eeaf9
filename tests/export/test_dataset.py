"""What an exported dataset holds, and what others read from it."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import faster_coco_eval
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest
import yaml
from PIL import Image
from tests.export.conftest import (
    DATASET,
    AddRecording,
    MakeExport,
    Write,
    random_boxes,
)

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import NoLabelsError, StoreError
from etram_pipeline.export.dataset import Export
from etram_pipeline.export.layout import read_summary
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, RECORD_FILE
from etram_pipeline.stores.record import Record
from etram_pipeline.stores.representation_store import RepresentationStore


def names(folder: Path) -> list[str]:
    """Files under a folder that are no notes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for each in files if (path := each.relative_to(folder)).name[0] != ".")


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_two_frames_become_exactly_these_files(
    root: Path, add_recording: AddRecording, make_export: MakeExport, write: Write
) -> None:
    add_recording("val/a", [(100_000, 2, 4, 8, 6, 1), (200_000, -4, 0, 8, 4, 0)], num_windows=4)

    write(make_export())

    assert [name for name in names(root) if not name.startswith(".export")] == [
        "annotations/instances_val.json",
        "data.yaml",
        "images/val/a_0000100000.png",
        "images/val/a_0000200000.png",
        "labels/val/a_0000100000.txt",
        "labels/val/a_0000200000.txt",
        "val.txt",
    ]
    coco = read_json(root / "annotations/instances_val.json")
    size = {"width": 24, "height": 16, "recording": "val/a"}
    assert coco["images"] == [
        {"id": 1, "file_name": "a_0000100000.png", **size, "t_us": 100_000},
        {"id": 2, "file_name": "a_0000200000.png", **size, "t_us": 200_000},
    ]
    box, cut = [1, 2, 4, 3], [0, 0, 2, 2]
    assert coco["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": box, "area": 12, "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 1, "bbox": cut, "area": 4, "iscrowd": 0},
    ]
    assert [(each["id"], each["name"]) for each in coco["categories"]] == [
        (1, "car"),
        (2, "tram"),
        (3, "bus"),
    ]
    assert coco["licenses"] == []
    assert coco["info"]["label_set"] == "8-class"
    first, second = sorted((root / "labels/val").iterdir())
    assert first.read_text() == "1 0.125000 0.218750 0.166667 0.187500\n"
    assert second.read_text() == "0 0.041667 0.062500 0.083333 0.125000\n"
    listed = "./images/val/a_0000100000.png\n./images/val/a_0000200000.png\n"
    assert (root / "val.txt").read_text() == listed
    data = yaml.safe_load((root / "data.yaml").read_text())
    assert data == {"val": "val.txt", "names": {0: "car", 1: "tram", 2: "bus"}}


def test_a_picture_shows_the_window_that_ends_at_its_frame(
    root: Path, street: MakeExport, stores: Path, write: Write
) -> None:
    export = street()
    write(export)
    paint = export.settings.picture.build(4, signed=False)
    frame = RepresentationStore(stores)["train/a"].read(3, 4)[0]
    picture = np.asarray(Image.open(root / "images/train/a_0000200000.png"))
    np.testing.assert_array_equal(picture, paint(frame))


def test_balances_below_zero_are_shown_as_falls(
    root: Path, add_recording: AddRecording, make_export: MakeExport, stores: Path, write: Write
) -> None:
    add_recording("val/a", random_boxes(1, 0), num_windows=2, dtype=np.int8)
    write(make_export())
    balance = RepresentationStore(stores)["val/a"].read(1, 2)[0, -1]
    picture = np.asarray(Image.open(root / "images/val/a_0000100000.png"))
    assert (balance < 0).any()
    np.testing.assert_array_equal(picture[..., 2] > 0, balance < 0)
    np.testing.assert_array_equal(picture[..., 1] > 0, balance > 0)


def test_a_frame_whose_boxes_are_all_beyond_the_picture_has_an_empty_file(
    root: Path, add_recording: AddRecording, make_export: MakeExport, write: Write
) -> None:
    add_recording("val/a", [(100_000, 60, 4, 8, 6, 1)], num_windows=2)
    write(make_export())
    assert (root / "labels/val/a_0000100000.txt").read_text() == ""
    coco = read_json(root / "annotations/instances_val.json")
    assert (len(coco["images"]), coco["annotations"]) == (1, [])


def expected_boxes(stores: Path, key: str) -> list[np.ndarray]:
    """Boxes of each frame, left, top, right, bottom in px of the picture."""
    frames = LabelStore(stores)[key]
    boxes = []
    for frame in range(len(frames)):
        left, top, width, height = (frames[frame][name].astype(float) / 2 for name in "xywh")
        corners = np.stack([left, top, left + width, top + height], axis=1)
        corners = corners.clip(0, [24, 16, 24, 16])
        boxes.append(corners[(corners[:, 2:] > corners[:, :2]).all(axis=1)])
    return boxes


def test_coco_holds_boxes_as_they_were(
    root: Path, street: MakeExport, stores: Path, write: Write
) -> None:
    write(street())
    coco = read_json(root / "annotations/instances_val.json")
    for image, expected in zip(coco["images"], expected_boxes(stores, "val/c"), strict=True):
        rows = [each["bbox"] for each in coco["annotations"] if each["image_id"] == image["id"]]
        found = np.array(rows)
        found[:, 2:] += found[:, :2]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_yolo_holds_boxes_to_six_digits_of_the_picture(
    root: Path, street: MakeExport, stores: Path, write: Write
) -> None:
    write(street())
    files = sorted((root / "labels/val").iterdir())
    for file, expected in zip(files, expected_boxes(stores, "val/c"), strict=True):
        _, x, y, width, height = np.loadtxt(file, ndmin=2).T * [[1], [24], [16], [24], [16]]
        found = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
        np.testing.assert_allclose(found, expected, atol=24e-6)


@pytest.mark.parametrize("library", ["pycocotools", "faster_coco_eval"])
def test_the_truth_taken_for_detections_is_perfect(
    root: Path, street: MakeExport, write: Write, library: str
) -> None:
    write(street())
    path = root / "annotations/instances_train.json"
    coco_class, evaluation_class = {
        "pycocotools": (pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
        "faster_coco_eval": (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
    }[library]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class(str(path))
        boxes = read_json(path)["annotations"]
        found = truth.loadRes([{**box, "score": 0.9} for box in boxes])
        evaluation = evaluation_class(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert len(truth.getImgIds()) == 12
    assert len(boxes) > 20
    assert evaluation.stats[0] == pytest.approx(1)


def test_torchvision_finds_each_picture_with_its_boxes(
    root: Path, street: MakeExport, stores: Path, write: Write
) -> None:
    from torchvision.datasets import CocoDetection

    write(street())
    with contextlib.redirect_stdout(io.StringIO()):
        read = CocoDetection(root / "images/val", str(root / "annotations/instances_val.json"))
    found = [(picture.size, len(boxes)) for picture, boxes in read]
    assert found == [((24, 16), len(boxes)) for boxes in expected_boxes(stores, "val/c")]


def test_super_classes_give_their_names(
    root: Path, add_recording: AddRecording, make_export: MakeExport, stores: Path, write: Write
) -> None:
    grouped = DatasetSettings(
        height=32,
        width=48,
        class_names=("car", "tram", "bus"),
        class_groups={"road": ("car", "bus"), "rail": ("tram",)},
    )
    add_recording("train/a", [(100_000, 2, 4, 8, 6, 1)], num_windows=2)
    record = Record(fingerprint="f", settings={"dataset": grouped.model_dump(mode="json")})
    (stores / "train/a" / LABELS / RECORD_FILE).write_text(record.model_dump_json())

    write(make_export(grouped))

    categories = read_json(root / "annotations/instances_train.json")["categories"]
    assert [each["name"] for each in categories] == ["road", "rail"]
    with pytest.raises(StoreError, match="have the classes road, rail, but the dataset has car"):
        write(make_export(DATASET))


def test_only_what_is_asked_for_is_written(root: Path, street: MakeExport, write: Write) -> None:
    write(street(formats=["coco"], splits=["val"], every=4))
    assert names(root / "images") == ["val/c_0000100000.png", "val/c_0000500000.png"]
    assert names(root / "annotations") == ["instances_val.json"]
    assert not (root / "labels").exists()
    assert not (root / "data.yaml").exists()


def test_the_summary_counts_what_was_written(root: Path, street: MakeExport, write: Write) -> None:
    write(street())
    summary = read_summary(root)
    assert summary is not None
    train = summary.splits["train"]
    assert (train.recordings, train.pictures) == (2, 12)
    annotations = read_json(root / "annotations/instances_train.json")["annotations"]
    assert train.boxes == sum(train.boxes_of_class.values()) == len(annotations)
    assert list(train.boxes_of_class) == ["car", "tram", "bus"]


def test_recordings_without_labels_are_left_out(
    root: Path, street: MakeExport, add_recording: AddRecording, write: Write
) -> None:
    add_recording("test/unlabelled")
    write(street())
    assert all("/d_" in line for line in (root / "test.txt").read_text().splitlines())


def test_windows_that_end_at_no_labelled_frame_make_no_pictures(
    add_recording: AddRecording, make_export: MakeExport, write: Write
) -> None:
    add_recording("train/a", random_boxes(1, 0), num_windows=1)
    with pytest.raises(NoLabelsError, match="no window of any recording ends at a labelled fr"):
        write(make_export())


def test_splits_without_a_labelled_recording_are_an_error(street: MakeExport, write: Write) -> None:
    export = street(splits=["test"])
    only_train = Export(
        export.representations,
        export.labels,
        DATASET,
        export.settings.model_copy(update={"splits": ()}),
    )
    with pytest.raises(StoreError, match=r"change `export.splits`, or run `preprocess`"):
        write(only_train)
