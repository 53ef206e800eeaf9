"""Label files."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.table import (
    LABEL_DTYPE,
    LabelTable,
    as_label_table,
    box_column,
    read_labels,
)

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
        LabelError, match=r"has columns \('t', 'x', 'y', 'w'\), but lacks \['class_id', 'h'\]"
    ):
        read_labels(path)


def test_times_must_be_whole_microseconds(path: Path) -> None:
    names = LABEL_DTYPE.names or ()
    np.save(path, np.zeros(1, [(name, "f8") for name in names]))

    with pytest.raises(LabelError, match="float64 in column 't', but must have whole numbers"):
        read_labels(path)


@pytest.mark.parametrize(("stored", "wanted"), [("f4", "f4"), ("f8", "f8"), ("u2", "f4")])
def test_boxes_are_computed_with_in_single_precision_or_finer(stored: str, wanted: str) -> None:
    assert box_column(np.zeros(1, [("x", stored)]), "x").dtype == np.dtype(wanted)


GEN1 = [("ts", "<u8"), *((side, "<f4") for side in "xywh"), ("class_id", "u1"),
        ("confidence", "<f4"), ("track_id", "<u4")]  # fmt: skip
"""Columns of Prophesee's GEN1 dataset."""


def test_boxes_in_the_columns_of_gen1_are_the_same_boxes(
    path: Path, make_labels: MakeLabels
) -> None:
    wanted = make_labels(t=[7, 8], x=[1.5, 2], class_id=[1, 0], track_id=[4, 5])
    wanted["class_confidence"] = [0.25, 1]
    np.save(path, _with_columns(wanted, GEN1))

    found = read_labels(path)

    for name in LABEL_DTYPE.names or ():
        np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("lacking", [["track_id"], ["confidence"], ["track_id", "confidence"]])
def test_tracks_and_confidences_may_be_missing(
    path: Path, make_labels: MakeLabels, lacking: list[str]
) -> None:
    labels = make_labels(t=[7, 8], track_id=[4, 5])
    labels["class_confidence"] = 0.5
    columns = [column for column in GEN1 if column[0] not in lacking]
    np.save(path, _with_columns(labels, columns))

    found = read_labels(path)

    assert found["t"].tolist() == [7, 8]
    assert found["track_id"].tolist() == ([0, 0] if "track_id" in lacking else [4, 5])
    assert found["class_confidence"].tolist() == [1 if "confidence" in lacking else 0.5] * 2


@pytest.mark.parametrize("nothing", [np.array([]), np.zeros((0, 8)), np.zeros((0, 1), GEN1)])
def test_a_file_without_an_element_is_a_table_without_boxes(
    path: Path, nothing: LabelTable
) -> None:
    np.save(path, nothing)

    assert len(read_labels(path)) == 0
    assert set(LABEL_DTYPE.names or ()) <= set(read_labels(path).dtype.names or ())


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (1, 3, 1)])
def test_axes_of_length_one_do_not_matter(
    path: Path, make_labels: MakeLabels, shape: tuple[int, ...]
) -> None:
    labels = make_labels(t=[1, 2, 3])
    np.save(path, labels.reshape(shape))

    np.testing.assert_array_equal(read_labels(path), labels)


def test_a_single_row_is_a_table(path: Path, make_labels: MakeLabels) -> None:
    np.save(path, make_labels(t=[5])[0])

    assert read_labels(path)["t"].tolist() == [5]


def test_a_grid_of_rows_is_refused(path: Path, make_labels: MakeLabels) -> None:
    np.save(path, make_labels(t=[1, 2, 3, 4]).reshape(2, 2))

    with pytest.raises(LabelError, match=r"shape \(2, 2\).*one-dimensional structured array"):
        read_labels(path)


def test_of_two_names_for_a_column_ours_counts(path: Path) -> None:
    table = np.zeros(1, [*GEN1, ("t", "<i8"), ("class_confidence", "<f4")])
    table["ts"], table["t"], table["confidence"] = 5, 9, 0.5
    np.save(path, table)

    found = read_labels(path)

    assert (found["t"].tolist(), found["class_confidence"].tolist()) == ([9], [0])


def test_numbers_beyond_any_computation_are_refused(path: Path) -> None:
    table = np.zeros(1, GEN1)
    table["ts"] = 2**63
    np.save(path, table)

    with pytest.raises(LabelError, match=r"has 9223372036854775808 in column 't'"):
        read_labels(path)


def test_a_data_frame_is_told_how_to_become_a_table() -> None:
    with pytest.raises(LabelError, match=r"holds a DataFrame, whose `to_records\(index=False\)`"):
        as_label_table(pd.DataFrame({"t": [1]}), "the table")


@st.composite
def _columns(draw: st.DrawFn) -> list[tuple[str, str]]:
    """A dtype of boxes as somebody may write it."""
    whole = st.sampled_from(["i2", "u2", "i4", "u4", "i8", "u8"])
    number = st.one_of(whole, st.sampled_from(["f4", "f8"]))
    columns = [
        (draw(st.sampled_from(["t", "ts"])), whole),
        *((side, number) for side in "xywh"),
        ("class_id", st.one_of(whole, st.sampled_from(["i1", "u1"]))),
    ]
    if draw(st.booleans()):
        columns.append(("track_id", whole))
    if draw(st.booleans()):
        columns.append((draw(st.sampled_from(["confidence", "class_confidence"])), number))
    if draw(st.booleans()):
        columns.append(("invalid", st.just("?")))
    order = draw(st.sampled_from("<>"))
    return [(name, order + draw(kind)) for name, kind in draw(st.permutations(columns))]


@given(columns=_columns(), align=st.booleans(), column_of_rows=st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_layout_of_the_columns_holds_the_same_boxes(
    tmp_path: Path,
    make_labels: MakeLabels,
    columns: list[tuple[str, str]],
    align: bool,  # noqa: FBT001
    column_of_rows: bool,  # noqa: FBT001
) -> None:
    wanted = make_labels(t=[3, 1, 2], x=[7, 8, 9], class_id=[0, 5, 2], class_confidence=1)
    table = _with_columns(wanted, np.dtype(columns, align=align))
    path = tmp_path / "any_bbox.npy"
    np.save(path, table[:, None] if column_of_rows else table)
    order = [1, 2, 0]

    found = read_labels(path)

    assert found.ndim == 1
    assert all(found.dtype[name].isnative for name in found.dtype.names or ())
    for name in LABEL_DTYPE.names or ():
        np.testing.assert_array_equal(found[name], wanted[name][order])


def _with_columns(labels: LabelTable, columns: npt.DTypeLike) -> LabelTable:
    """The same boxes in other columns."""
    ours = {"ts": "t", "confidence": "class_confidence"}
    table = np.zeros(len(labels), columns)
    for name in table.dtype.names or ():
        if name != "invalid":
            table[name] = labels[ours.get(name, name)]
    return table
