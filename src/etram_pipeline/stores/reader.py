"""Reading the stored files of one recording, with checks that they fit together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import LabelError, StoreError
from etram_pipeline.core.mask_column import with_masks
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.masks import read_masks
from etram_pipeline.labels.table import as_label_table
from etram_pipeline.stores.layout import LABELS_FILE, MASKS_FILE, RECORD_FILE, TIMES_FILE
from etram_pipeline.stores.record import read_record


def read_labelled_frames(folder: Path) -> LabelledFrames:
    """Labelled frames in a folder `labels_v2`.

    Raises:
        StoreError: If a file is missing, damaged, unfinished, or contradicts another one.
        LabelError: If they are not boxes, or lack a column.
    """
    path = folder / LABELS_FILE
    record = read_record(folder / RECORD_FILE)
    if record is not None and not record.fingerprint:
        raise StoreError(f"writing {path} was interrupted: run `preprocess` again")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels, first_label = arrays["labels"], arrays["objframe_idx_2_label_idx"]
    except Exception as error:  # damage makes NumPy, and what reads for it, raise anything
        raise StoreError(
            f"{path} does not hold labelled frames; run `preprocess` again: {error}"
        ) from error
    labels = as_label_table(labels, str(path))
    times_us = read_indices(folder / TIMES_FILE)
    first_label = first_label.astype(np.int64)
    num_boxes = np.diff(first_label, append=len(labels))
    is_consistent = (
        len(first_label) == len(times_us) > 0
        and first_label[0] == 0
        and bool(np.all(num_boxes >= 0))
        and is_ascending(times_us)
        and np.array_equal(labels["t"], np.repeat(times_us, num_boxes))
    )
    if not is_consistent:
        raise StoreError(
            f"the files in {folder} contradict each other: {len(first_label)} frames begin among "
            f"{len(labels)} boxes, and {len(times_us)} times are given; run `preprocess` again"
        )
    if record is None:
        return LabelledFrames(labels, first_label, times_us, interval_us=0)
    left_out = record.summary.left_out
    return LabelledFrames(labels, first_label, times_us, record.interval_us, left_out)


def read_stored_masks(folder: Path, frames: LabelledFrames) -> LabelledFrames:
    """The labelled frames of a folder `labels_v2` with their masks.

    Raises:
        StoreError: If the labels have no masks, or the file of masks is damaged or belongs to other
            labels.
    """
    path = folder / MASKS_FILE
    if not path.is_file():
        raise StoreError(
            f"the labels in {folder} have no masks: put a file <recording>_masks.json beside the "
            "label file of each recording and run `preprocess` again, or choose a detector and a "
            "protocol of boxes"
        )
    try:
        masks = read_masks(path)
    except LabelError as error:
        raise StoreError(f"{error}; run `preprocess` again") from error
    if len(masks) != len(frames.labels):
        raise StoreError(
            f"the files in {folder} contradict each other: there are {len(masks)} masks of "
            f"{len(frames.labels)} boxes; run `preprocess` again"
        )
    return replace(frames, labels=with_masks(frames.labels, masks))


def read_shape(path: Path) -> tuple[tuple[int, int, int, int], str]:
    """Windows, channels, rows and columns of stored representations, and the type of their values.

    Raises:
        StoreError: If the file is missing, damaged, or holds something else.
    """
    import h5py

    if not path.is_file():
        raise StoreError(f"there is no file {path}: run `preprocess` again")
    try:
        with h5py.File(path) as file:
            shape, dtype = file["data"].shape, str(file["data"].dtype)
    except (OSError, KeyError) as error:
        raise StoreError(
            f"{path} does not hold representations; delete it and run `preprocess` again: {error}"
        ) from error
    if len(shape) != 4:  # noqa: PLR2004
        raise StoreError(f"{path} holds an array of shape {shape}, not of windows, channels, …")
    return shape, dtype


def read_indices(path: Path) -> Int64[np.ndarray, " N"]:
    """Whole numbers of a `.npy` file.

    Raises:
        StoreError: If the file is missing, damaged, or holds something else.
    """
    try:
        indices = np.load(path, allow_pickle=False)
    except Exception as error:  # damage makes NumPy, and what reads for it, raise anything
        raise StoreError(
            f"{path} is missing or damaged; run `preprocess` again: {error}"
        ) from error
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise StoreError(
            f"{path} holds {indices.dtype} of shape {indices.shape}, not whole numbers"
        )
    return np.asarray(indices, np.int64)


def is_ascending(values: Int64[np.ndarray, " N"]) -> bool:
    """Whether every value is greater than the one before."""
    return bool(np.all(np.diff(values) > 0))
