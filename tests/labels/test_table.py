"""Label files."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable, box_column, read_labels

MakeLabels = Callable[..., LabelTable]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a_bbox.npy"


def test_boxes_come_back_with_the_dtype_they_were_saved_with(
    path: Path, make_labels: MakeLabels
) -> None:
    labels = make_labels(t=[1, 2, 2], class_id=[3, 0, 1])
    np.save(path, labels)

    found = read_labels(path)

    assert found.dtype == LABEL_DTYPE
    np.testing.assert_array_equal(found, labels)


def test_columns_may_be_named_and_ordered_as_etram_publishes_them(path: Path) -> None:
    dtype = [("class_id", "u1"), ("track_id", "<u4"), ("class_confidence", "<f4"), ("ts", "<u8")]
    dtype += [(side, "<f4") for side in "hwyx"]
    table = np.zeros(2, dtype)
    table["ts"], table["x"], table["class_id"] = [10, 20], [1.5, 2.5], [7, 6]
    np.save(path, table)

    found = read_labels(path)

    assert found["t"].tolist() == [10, 20]
    assert found["x"].tolist() == [1.5, 2.5]
    assert found["class_id"].dtype == np.uint8


def test_boxes_out_of_order_are_sorted_and_the_log_says_so(
    path: Path, make_labels: MakeLabels, caplog: pytest.LogCaptureFixture
) -> None:
    np.save(path, make_labels(t=[30, 10, 30, 20], track_id=[1, 2, 3, 4]))

    with caplog.at_level(logging.WARNING):
        found = read_labels(path)

    assert found["t"].tolist() == [10, 20, 30, 30]
    assert found["track_id"].tolist() == [2, 4, 1, 3]
    assert "a_bbox.npy is not in order of time" in caplog.text


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(LabelError, match=r"there is no label file .*a_bbox\.npy"):
        read_labels(path)


def test_a_truncated_file_is_told_from_a_table(path: Path, make_labels: MakeLabels) -> None:
    np.save(path, make_labels(t=np.arange(100)))
    path.write_bytes(path.read_bytes()[:-50])

    with pytest.raises(LabelError, match=r"a_bbox\.npy cannot be read"):
        read_labels(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"PK\x03\x04" + content,
        lambda content: content.replace(b"'fortran_order'", b"(fortran_order'"),
        lambda content: content.replace(b"(5,)", b"(" + 18 * b"9" + b",)"),
        lambda content: content.replace(b"(5,)", b"(05,)"),
    ],
    ids=["archive", "bracket", "too long for memory", "number"],
)
def test_a_damaged_header_is_told_whatever_it_makes_numpy_raise(
    damage: Callable[[bytes], bytes], path: Path, make_labels: MakeLabels
) -> None:
    np.save(path, make_labels(t=[1, 2, 3, 4, 5]))
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(LabelError, match=r"a_bbox\.npy cannot be read as a NumPy array"):
        read_labels(path)


def test_pickled_objects_are_never_loaded(path: Path) -> None:
    np.save(path, np.array([{"t": 1}]), allow_pickle=True)

    with pytest.raises(LabelError, match=r"a_bbox\.npy cannot be read"):
        read_labels(path)


def test_a_plain_array_is_refused(path: Path) -> None:
    np.save(path, np.zeros((3, 8)))

    with pytest.raises(LabelError, match=r"an array of shape \(3, 8\) and dtype float64"):
        read_labels(path)


def test_an_archive_is_refused(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(1), b=np.zeros(1))

    with pytest.raises(LabelError, match="an archive of several arrays"):
        read_labels(path)


def test_a_missing_column_is_named(path: Path) -> None:
    np.save(path, np.zeros(1, [(name, "f4") for name in "txyw"]))

    with pytest.raises(
        LabelError, match=r"lacks \['class_confidence', 'class_id', 'h', 'track_id'"
    ):
        read_labels(path)


def test_times_must_be_whole_microseconds(path: Path) -> None:
    names = LABEL_DTYPE.names or ()
    np.save(path, np.zeros(1, [(name, "f8") for name in names]))

    with pytest.raises(LabelError, match="float64 in column 't', but whole numbers are wanted"):
        read_labels(path)


@pytest.mark.parametrize(("stored", "wanted"), [("f4", "f4"), ("f8", "f8"), ("u2", "f4")])
def test_boxes_are_computed_with_in_single_precision_or_finer(stored: str, wanted: str) -> None:
    assert box_column(np.zeros(1, [("x", stored)]), "x").dtype == np.dtype(wanted)
