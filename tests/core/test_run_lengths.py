import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from etram_pipeline.core.run_lengths import (
    RunLengths,
    check_run_lengths,
    decode_columns,
    decode_masks,
    encode_masks,
    mask_area,
    mask_boxes,
)


def random_masks(seed: int, height: int, width: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).random((5, height, width)) < share


def test_runs_go_down_the_columns_and_begin_with_zeros() -> None:
    mask = np.array([[[0, 1, 1], [0, 0, 1]]], bool)  # down the columns: 00 10 11
    (encoded,) = encode_masks(mask)
    assert encoded == {"size": [2, 3], "counts": "2111"}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_decoding_gives_the_mask_that_pycocotools_gives(share: float) -> None:
    masks = random_masks(0, 37, 61, share)
    encoded = encode_masks(masks)
    np.testing.assert_array_equal(decode_masks(encoded, 37, 61), masks)
    of_coco = coco.decode([dict(each) for each in encoded])
    np.testing.assert_array_equal(of_coco.transpose(2, 0, 1).astype(bool), masks)
    assert [mask_area(each) for each in encoded] == masks.sum(axis=(1, 2)).tolist()


def test_long_runs_take_several_characters() -> None:
    masks = np.zeros((1, 700, 1300), bool)
    masks[0, 300:, 650:] = True
    (encoded,) = encode_masks(masks)
    np.testing.assert_array_equal(decode_masks([encoded], 700, 1300), masks)
    assert mask_area(encoded) == 400 * 650


def test_boxes_are_tight() -> None:
    masks = np.zeros((2, 10, 20), bool)
    masks[0, 2:5, 3:11] = True
    assert mask_boxes(encode_masks(masks)).tolist() == [[3, 2, 11, 5], [0, 0, 0, 0]]


def test_only_the_columns_of_the_object_are_decoded() -> None:
    masks = np.zeros((1, 10, 20), bool)
    masks[0, 2:5, 3:11] = True
    first, columns = decode_columns(encode_masks(masks)[0])
    assert (first, columns.shape) == (3, (10, 8))
    np.testing.assert_array_equal(columns, masks[0, :, 3:11])


def test_masks_of_another_size_are_cut_or_extended_at_the_bottom_and_on_the_right() -> None:
    masks = random_masks(1, 8, 12, 0.4)
    encoded = encode_masks(masks)
    np.testing.assert_array_equal(decode_masks(encoded, 7, 11), masks[:, :7, :11])
    larger = decode_masks(encoded, 9, 14)
    np.testing.assert_array_equal(larger[:, :8, :12], masks)
    assert larger.sum() == masks.sum()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "the keys `size` and `counts`"),
        ({"size": [2, 3]}, "the keys `size` and `counts`"),
        ({"size": [2], "counts": "6"}, "height and width"),
        ({"size": [2, 0], "counts": "0"}, "height and width"),
        ({"size": [2, True], "counts": "2"}, "height and width"),
        ({"size": [2, 3], "counts": [6]}, "compressed run lengths"),
        ({"size": [2, 3], "counts": ""}, "compressed run lengths"),
        ({"size": [2, 3], "counts": "P"}, "no compressed run lengths"),
        ({"size": [2, 3], "counts": "2 12"}, "no compressed run lengths"),
        ({"size": [2, 3], "counts": "Ä"}, "no compressed run lengths"),
        ({"size": [2, 3], "counts": "o" * 12 + "0"}, "no compressed run lengths"),
        ({"size": [2, 3], "counts": "2113"}, "cover 8 px, but a mask of 2 x 3 px has 6"),
        ({"size": [2, 3], "counts": "9M"}, "cover 6 px"),
    ],
)
def test_damaged_masks_are_refused(mask: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_run_lengths(mask)


@given(st.text(alphabet=[chr(code) for code in range(40, 120)], max_size=20))
def test_any_text_is_decoded_or_refused(counts: str) -> None:
    mask = RunLengths(size=[6, 7], counts=counts)
    try:
        decoded = decode_masks([mask], 6, 7)
    except ValueError:
        return
    assert decoded.sum() == mask_area(mask)
