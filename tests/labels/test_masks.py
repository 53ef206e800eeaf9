"""Files of masks, and masks in tables of boxes."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.mask_column import has_masks, with_masks, without_masks, write_masks
from etram_pipeline.core.run_lengths import RunLengths, encode_masks, mask_boxes
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.frames import filter_labels, select_frames
from etram_pipeline.labels.masks import check_masks, find_masks, read_masked_labels, read_masks
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable, as_label_table

MakeLabels = Callable[..., LabelTable]
HEIGHT, WIDTH = 48, 64


def boxes(count: int) -> LabelTable:
    """Boxes of 6 x 4 px, each 8 px to the right of the one before."""
    table = np.zeros(count, LABEL_DTYPE)
    table["t"] = 100_000 * (1 + np.arange(count) // 2)
    table["x"], table["y"], table["w"], table["h"] = 8 * np.arange(count) % 56, 10, 6, 4
    table["class_id"] = np.arange(count) % 4
    table["track_id"] = np.arange(count)
    return table


def masks_of(table: LabelTable, height: int = HEIGHT, width: int = WIDTH) -> list[RunLengths]:
    """A full mask for each box."""
    masks = np.zeros((len(table), height, width), bool)
    for mask, row in zip(masks, table, strict=True):
        x, y, w, h = (int(row[side]) for side in "xywh")
        mask[max(y, 0) : y + h, max(x, 0) : x + w] = True
    return encode_masks(masks)


def test_a_column_of_masks_comes_and_goes() -> None:
    plain = boxes(3)
    masked = with_masks(plain, masks_of(plain))
    assert has_masks(masked)
    assert not has_masks(plain)
    np.testing.assert_array_equal(without_masks(masked), plain)
    assert without_masks(plain) is plain
    twice = with_masks(masked, masks_of(plain)[::-1])
    assert twice["mask"].tolist() == masks_of(plain)[::-1]


def test_a_table_with_masks_is_a_table_of_boxes() -> None:
    masked = with_masks(boxes(3), masks_of(boxes(3)))
    assert as_label_table(masked, "here")["mask"].tolist() == masked["mask"].tolist()
    names = ["ts" if name == "t" else name for name in LABEL_DTYPE.names or ()]
    types = [LABEL_DTYPE[name] for name in LABEL_DTYPE.names or ()]
    of_others = with_masks(
        boxes(3).astype(list(zip(names, types, strict=True))), masks_of(boxes(3))
    )
    assert as_label_table(of_others, "here")["mask"].tolist() == masked["mask"].tolist()


def test_masks_are_read_from_the_file_beside_the_boxes(tmp_path: Path) -> None:
    plain = boxes(4)
    label_path, masks_path = tmp_path / "a.b_bbox.npy", tmp_path / "a.b_masks.json"
    np.save(label_path, plain)
    assert find_masks(label_path) is None
    write_masks(masks_path, masks_of(plain))
    assert find_masks(label_path) == masks_path
    assert read_masks(masks_path) == masks_of(plain)


def test_boxes_out_of_order_are_sorted_with_their_masks(tmp_path: Path) -> None:
    plain = boxes(6)
    shuffled = plain[[4, 0, 2, 1, 5, 3]]
    np.save(tmp_path / "a_bbox.npy", shuffled)
    write_masks(tmp_path / "a_masks.json", masks_of(shuffled))
    table = read_masked_labels(tmp_path / "a_bbox.npy", tmp_path / "a_masks.json")
    assert table["t"].tolist() == sorted(shuffled["t"].tolist())
    assert table["mask"].tolist() == masks_of(without_masks(table))


def test_an_empty_list_is_for_a_table_without_boxes(tmp_path: Path) -> None:
    np.save(tmp_path / "a_bbox.npy", boxes(0))
    write_masks(tmp_path / "a_masks.json", [])
    assert len(read_masked_labels(tmp_path / "a_bbox.npy", tmp_path / "a_masks.json")) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as a JSON list of masks"),
        ('[{"size": [48, 64], "cou', "it may be truncated"),
        ("{}", "holds a dict, but must hold a list of masks"),
        ("[null]", "damaged mask in row 0: a mask must have the keys"),
        ('[{"size": [48, 64], "counts": "00"}]', "damaged mask in row 0: `counts` cover 0 px"),
    ],
)
def test_files_without_masks_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a_masks.json"
    path.write_text(text)
    with pytest.raises(LabelError, match=message) as caught:
        read_masks(path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a_masks.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabelError, match="cannot be read"):
        read_masks(path)


def test_there_must_be_a_mask_for_each_box(tmp_path: Path) -> None:
    np.save(tmp_path / "a_bbox.npy", boxes(4))
    write_masks(tmp_path / "a_masks.json", masks_of(boxes(3)))
    with pytest.raises(LabelError, match=r"has 3 masks, but .*a_bbox.npy has 4 boxes: give one"):
        read_masked_labels(tmp_path / "a_bbox.npy", tmp_path / "a_masks.json")


def test_masks_must_have_the_size_of_the_sensor() -> None:
    masked = with_masks(boxes(3), masks_of(boxes(3)))
    check_masks(masked, HEIGHT, WIDTH, "a_masks.json")
    with pytest.raises(LabelError, match=r"mask of 48 x 64 px .* the sensor has 96 x 128 px"):
        check_masks(masked, 96, 128, "a_masks.json")


def test_masks_in_another_order_are_refused() -> None:
    masked = with_masks(boxes(6), masks_of(boxes(6))[::-1])
    with pytest.raises(LabelError, match=r"6 of 6 masks lie outside their boxes .* in the order"):
        check_masks(masked, HEIGHT, WIDTH, "a_masks.json")


def test_a_single_mask_outside_its_box_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    masks = masks_of(boxes(40))
    masks[7] = masks[9]
    with caplog.at_level(logging.WARNING):
        check_masks(with_masks(boxes(40), masks), HEIGHT, WIDTH, "a_masks.json")
    assert "a_masks.json: 1 of 40 masks lie outside their boxes" in caplog.text


def test_hidden_objects_have_empty_masks() -> None:
    empty = encode_masks(np.zeros((3, HEIGHT, WIDTH), bool))
    check_masks(with_masks(boxes(3), empty), HEIGHT, WIDTH, "a_masks.json")


@pytest.mark.parametrize(
    "filters",
    [
        [{"kind": "crop_to_sensor"}],
        [{"kind": "minimum_size", "side_px": 3}],
        [{"kind": "maximum_width", "fraction": 0.2}],
        [{"kind": "select_classes", "class_names": ["car", "bus"]}],
        [{"kind": "group_classes"}],
        [{"kind": "select_classes", "class_names": ["car", "bus"]}, {"kind": "group_classes"}],
    ],
)
def test_filters_keep_masks_with_their_boxes(
    context: FilterContext, filters: list[dict[str, object]]
) -> None:
    plain = boxes(40)
    plain["w"][::5], plain["w"][1::5] = 300, 2
    plain["x"][3], plain["x"][4] = -2, np.nan
    masks = encode_masks(np.eye(40, dtype=bool)[:, None])  # each says which row it is of
    settings = LabelSettings.model_validate({"filters": filters})
    frames = select_frames(
        filter_labels(with_masks(plain, masks), settings, context), settings
    ).labels
    without = select_frames(filter_labels(plain, settings, context), settings).labels
    np.testing.assert_array_equal(without_masks(frames), without)
    assert 0 < len(frames) < 40
    rows = mask_boxes(frames["mask"].tolist())[:, 0]
    np.testing.assert_array_equal(rows, frames["track_id"])


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    write_masks(tmp_path / "a_masks.json", masks_of(boxes(2)))
    (first, second) = json.loads((tmp_path / "a_masks.json").read_text())
    assert first.keys() == second.keys() == {"size", "counts"}
