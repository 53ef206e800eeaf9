"""Masks of objects as run lengths, in COCO's compressed format.

pycocotools reads beyond the end of its arrays if run lengths are damaged, so they are decoded here,
with checks.

Source: pycocotools, `common/maskApi.c`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64
from typing_extensions import TypedDict

_FIRST, _CONTINUED, _SIGN, _PAYLOAD, _PAYLOAD_BITS = 48, 0x20, 0x10, 0x1F, 5
"""A number is written in characters of five bits each, lowest first."""
_MOST_CHARACTERS = 9
_LARGEST_SIDE = 2**16


class RunLengths(TypedDict):
    """One mask, as `pycocotools.mask.decode` takes it.

    Attributes:
        size: Height and width in px.
        counts: Compressed lengths of the runs of 0 and 1, column by column, from the top left.
    """

    size: list[int]
    counts: str


def encode_masks(masks: Bool[np.ndarray, "N H W"]) -> list[RunLengths]:
    """Masks as run lengths."""
    from pycocotools.mask import encode

    height, width = masks.shape[1:]
    encoded = encode(np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8)))
    return [
        RunLengths(size=[height, width], counts=each["counts"].decode("ascii")) for each in encoded
    ]


def check_run_lengths(mask: object) -> RunLengths:
    """`mask`, if it is a mask that can be decoded.

    Raises:
        ValueError: If it is not; states what is wrong.
    """
    if not isinstance(mask, dict) or mask.keys() != {"size", "counts"}:
        raise ValueError(f"a mask must have the keys `size` and `counts`, not {_shortened(mask)}")
    size, counts = mask["size"], mask["counts"]
    if (
        not isinstance(size, list)
        or [type(side) for side in size] != [int, int]
        or not 0 < min(size) <= max(size) <= _LARGEST_SIDE
    ):
        raise ValueError(f"`size` must be height and width in px, not {_shortened(size)}")
    if not isinstance(counts, str) or not counts:
        raise ValueError(
            f"`counts` must be the text of compressed run lengths, not {_shortened(counts)}"
        )
    found = RunLengths(size=size, counts=counts)
    run_ends(found)
    return found


def run_ends(mask: RunLengths) -> Int64[np.ndarray, " R"]:
    """End of each run, column by column; runs of 0 and 1 alternate, and the first is of 0.

    Raises:
        ValueError: If the run lengths are damaged, or do not fill the mask.
    """
    codes = np.frombuffer(mask["counts"].encode(), np.uint8).astype(np.int64) - _FIRST
    last = np.flatnonzero((codes & _CONTINUED) == 0)
    first = np.concatenate([[0], last[:-1] + 1]).astype(np.int64)
    num_characters = last - first + 1
    if (
        not len(codes)
        or codes.min() < 0
        or codes.max() > (_CONTINUED | _PAYLOAD)
        or not len(last)
        or last[-1] != len(codes) - 1
        or num_characters.max() > _MOST_CHARACTERS
    ):
        raise ValueError("`counts` are no compressed run lengths")
    shifts = _PAYLOAD_BITS * (np.arange(len(codes)) - np.repeat(first, num_characters))
    runs = np.add.reduceat((codes & _PAYLOAD) << shifts, first)
    runs -= np.where(codes[last] & _SIGN, 1 << (_PAYLOAD_BITS * num_characters), 0)
    # From the fourth on, runs are written as the difference from the run of the same value before.
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    height, width = mask["size"]
    ends: Int64[np.ndarray, " R"] = np.cumsum(runs)
    if runs.min() < 0 or ends[-1] != height * width:
        raise ValueError(
            f"`counts` cover {ends[-1]} px, but a mask of {height} x {width} px has "
            f"{height * width}"
        )
    return ends


def decode_columns(mask: RunLengths) -> tuple[int, Bool[np.ndarray, "H columns"]]:
    """The columns from the first to the last with a pixel, and the index of the first.

    Raises:
        ValueError: If the run lengths are damaged.
    """
    height = mask["size"][0]
    ends = run_ends(mask)
    starts, stops = ends[:-1][::2], ends[1::2]
    if not len(stops) or starts[0] == stops[-1]:
        return 0, np.zeros((height, 0), bool)
    first, stop = int(starts[0]) // height, -(-int(stops[-1]) // height)
    flat = np.zeros((stop - first) * height, bool)
    for start, end in zip(
        (starts - first * height).tolist(), (stops - first * height).tolist(), strict=True
    ):
        flat[start:end] = True
    return first, flat.reshape(stop - first, height).T


def decode_masks(
    masks: Sequence[RunLengths], height: int, width: int
) -> Bool[np.ndarray, "N height width"]:
    """Masks in an image of `height` x `width` px.

    Masks of another size keep their place at the top left; they are cut, or extended by zeros.

    Raises:
        ValueError: If run lengths are damaged.
    """
    decoded = np.zeros((len(masks), height, width), bool)
    for image, mask in zip(decoded, masks, strict=True):
        first, columns = decode_columns(mask)
        seen = columns[:height, : max(width - first, 0)]
        image[: seen.shape[0], first : first + seen.shape[1]] = seen
    return decoded


def mask_area(mask: RunLengths) -> int:
    """Pixels of a mask.

    Raises:
        ValueError: If the run lengths are damaged.
    """
    return int(np.diff(run_ends(mask))[::2].sum())


def mask_boxes(masks: Sequence[RunLengths]) -> Float64[np.ndarray, "N 4"]:
    """Corners of the smallest box around each mask, `xyxy` in px; zeros for an empty mask.

    Raises:
        ValueError: If run lengths are damaged.
    """
    boxes = np.zeros((len(masks), 4))
    for box, mask in zip(boxes, masks, strict=True):
        first, columns = decode_columns(mask)
        rows = np.flatnonzero(columns.any(axis=1))
        if len(rows):
            box[:] = first, rows[0], first + columns.shape[1], rows[-1] + 1
    return boxes


def _shortened(value: object) -> str:
    text, limit = repr(value), 60
    return text if len(text) <= limit else f"{text[:limit]}…"
