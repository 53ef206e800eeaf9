"""Boxes on pictures."""

from pathlib import Path

import numpy as np
import pytest
from tests.export.conftest import AddRecording

from etram_pipeline.core.errors import LabelError, StoreError
from etram_pipeline.export.frames import boxes_on_picture, frame_names, read_frames
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.stores.layout import LABELS, LABELS_FILE, TIMES_FILE
from etram_pipeline.stores.representation_store import RepresentationStore, StoredRepresentations


@pytest.fixture
def stored(add_recording: AddRecording, stores: Path) -> StoredRepresentations:
    """Pictures of 16 x 24 px, half those of the sensor."""
    add_recording("train/a", [(100_000, 2, 4, 8, 6, 1), (200_000, 0, 0, 4, 4, 2)], num_windows=4)
    return RepresentationStore(stores)["train/a"]


def table(*boxes: tuple[float, ...]) -> LabelTable:
    labels = np.zeros(len(boxes), LABEL_DTYPE)
    for name, column in zip("xywh", zip(*boxes, strict=True), strict=True):
        labels[name] = column
    return labels


def test_a_box_is_scaled_from_the_sensor_to_the_picture(stored: StoredRepresentations) -> None:
    assert boxes_on_picture(table((2.5, 4, 8, 6)), stored) == ((0, 1.25, 2, 4, 3),)


def test_boxes_are_cut_at_the_border_and_left_out_beyond_it(stored: StoredRepresentations) -> None:
    boxes = boxes_on_picture(
        table((-4, -2, 8, 6), (40, 28, 20, 20), (48, 0, 9, 9), (3, 3, 0, 9)), stored
    )
    assert boxes == ((0, 0, 0, 2, 2), (0, 20, 14, 4, 2))


@pytest.mark.parametrize("box", [(np.nan, 0, 1, 1), (0, 0, -1, 1), (0, 0, 1, np.inf)])
def test_what_is_no_box_is_refused(stored: StoredRepresentations, box: tuple[float, ...]) -> None:
    with pytest.raises(LabelError, match="train/a has boxes that are not finite or have a negat"):
        boxes_on_picture(table(box), stored)


def test_names_sort_in_the_order_of_time_even_after_hours() -> None:
    times_us = np.array([50_000, 999_999, 4_000_000_000])
    names = frame_names("train/a_1", times_us)
    assert names == ["a_1_0000050000", "a_1_0000999999", "a_1_4000000000"]
    assert sorted(names) == names


def test_frames_carry_their_time_and_boxes(stored: StoredRepresentations, stores: Path) -> None:
    frames = read_frames(stored, stored.frame_windows, stores / "train/a" / LABELS, 3)
    assert [(frame.name, frame.time_us, frame.boxes) for frame in frames] == [
        ("a_0000100000", 100_000, ((1, 1, 2, 4, 3),)),
        ("a_0000200000", 200_000, ((2, 0, 0, 2, 2),)),
    ]


def test_a_class_without_a_name_is_refused(stored: StoredRepresentations, stores: Path) -> None:
    with pytest.raises(LabelError, match="boxes of class 2, but the dataset has only 2 classes"):
        read_frames(stored, stored.frame_windows, stores / "train/a" / LABELS, 2)


def test_a_class_below_the_first_is_refused(stored: StoredRepresentations, stores: Path) -> None:
    path = stores / "train/a" / LABELS / LABELS_FILE
    with np.load(path) as arrays:
        content = dict(arrays)
    dtype = content["labels"].dtype
    signed = [(name, "i4" if name == "class_id" else dtype[name]) for name in dtype.names]
    content["labels"] = content["labels"].astype(signed)
    content["labels"]["class_id"][0] = -1
    np.savez(path, **content)

    with pytest.raises(LabelError, match="boxes of class -1, but the dataset has only 3 classes"):
        read_frames(stored, stored.frame_windows, stores / "train/a" / LABELS, 3)


def test_labels_of_another_preprocessing_are_refused(
    stored: StoredRepresentations, stores: Path
) -> None:
    stored.stop_us[1] -= 1
    assert (stores / "train/a" / LABELS / TIMES_FILE).exists()
    with pytest.raises(StoreError, match=r"are missing in .*: run `preprocess` again"):
        read_frames(stored, stored.frame_windows, stores / "train/a" / LABELS, 3)
