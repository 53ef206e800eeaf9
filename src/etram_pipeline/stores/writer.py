"""Atomic writing of the labelled frames and the representations of one recording."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Integer

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.mask_column import MASK_COLUMN, has_masks, without_masks, write_masks
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.compression import Chunk, compress, filter_options
from etram_pipeline.stores.layout import (
    FRAME_WINDOWS_FILE,
    IMAGES_FILES,
    LABELS_FILE,
    MASKS_FILE,
    RECORD_FILE,
    TIMES_FILE,
)
from etram_pipeline.stores.record import RECORD_ATTRIBUTE, Record, read_record
from etram_pipeline.stores.settings import Profile

if TYPE_CHECKING:
    import h5py


def write_labelled_frames(folder: Path, frames: LabelledFrames, record: Record) -> None:
    """Store the labelled frames of a recording.

    Args:
        folder: Folder of the recording's labels, `labels_v2`.
        frames: The labelled frames.
        record: Record, written last; until then, the files are treated as unfinished.

    Raises:
        StoreError: If the folder contains labels that were made elsewhere; they are not changed.
    """
    if (folder / LABELS_FILE).exists():
        _refuse_foreign(folder / RECORD_FILE)
    _write_record(folder / RECORD_FILE, record.model_copy(update={"fingerprint": ""}))
    with written_whole(folder / LABELS_FILE) as partial, partial.open("wb") as file:
        boxes = without_masks(frames.labels)
        np.savez(file, labels=boxes, objframe_idx_2_label_idx=frames.first_label)
    if has_masks(frames.labels):
        write_masks(folder / MASKS_FILE, frames.labels[MASK_COLUMN].tolist())
    else:
        (folder / MASKS_FILE).unlink(missing_ok=True)
    _write_array(folder / TIMES_FILE, frames.times_us)
    _write_record(folder / RECORD_FILE, record)


def write_representations(
    folder: Path,
    buffers: Iterable[ImageBuffer],
    plan: WindowPlan,
    downsampled_by: int,
    describe: Callable[[int], Record],
    profile: Profile = "archive",
) -> Record:
    """Store the representations of a recording while they are computed.

    Existing files stay until the last image is written. Images are compressed in several
    threads; the content of the file does not depend on their timing.

    Args:
        folder: Folder of this representation, `event_representations_v2/<representation>`.
        buffers: An image for each window of the plan; a buffer is released once it is compressed.
        plan: The windows.
        downsampled_by: Sensor px per px of an image along each axis, 1 or 2.
        describe: Makes the record after all images are written, from their stored size in bytes.
        profile: Chooses the compressor.

    Returns:
        The record that was stored with the images.

    Raises:
        StoreError: If the folder contains representations that were made elsewhere; they are not
            changed.
        ValueError: If there are more or fewer images than windows.
    """
    for name in IMAGES_FILES.values():
        if (folder / name).exists():
            _refuse_foreign(folder / name)
    with written_whole(folder / IMAGES_FILES[downsampled_by]) as partial:
        record = _write_images(partial, buffers, len(plan.stop_us), describe, profile)
        # The small files written next belong to the new images, so the old images must be gone.
        for name in IMAGES_FILES.values():
            (folder / name).unlink(missing_ok=True)
        _write_array(folder / TIMES_FILE, plan.stop_us)
        _write_array(folder / FRAME_WINDOWS_FILE, plan.frame_windows)
    return record


def _write_images(
    path: Path,
    buffers: Iterable[ImageBuffer],
    num_windows: int,
    describe: Callable[[int], Record],
    profile: Profile,
) -> Record:
    import h5py
    import hdf5plugin  # noqa: F401  # registers the filter

    with h5py.File(path, "w") as file:
        data, num_images = None, 0
        for chunk in compress(buffers, profile):
            if data is None:
                data = _create_dataset(file, num_windows, chunk, profile)
            if num_images < num_windows:
                data.id.write_direct_chunk((num_images, 0, 0, 0), chunk.content)
            num_images += 1
        if data is None or num_images != num_windows:
            raise ValueError(f"{num_images} images were made for {num_windows} windows")
        record = describe(int(data.id.get_storage_size()))
        file.attrs[RECORD_ATTRIBUTE] = record.model_dump_json()
    return record


def _create_dataset(
    file: "h5py.File", num_windows: int, chunk: Chunk, profile: Profile
) -> "h5py.Dataset":
    return file.create_dataset(
        "data",
        shape=(num_windows, *chunk.shape),
        maxshape=(None, *chunk.shape),
        chunks=(1, *chunk.shape),
        dtype=chunk.dtype,
        **filter_options(profile),
    )


def _refuse_foreign(path: Path) -> None:
    if read_record(path) is None:
        raise StoreError(
            f"{path.parent} contains data that was made elsewhere and is therefore not replaced: "
            "use it unchanged, move it away, or choose another folder in the catalog"
        )


def _write_record(path: Path, record: Record) -> None:
    with written_whole(path) as partial:
        partial.write_text(record.model_dump_json(indent=1))


def _write_array(path: Path, array: Integer[np.ndarray, " N"]) -> None:
    with written_whole(path) as partial, partial.open("wb") as file:
        np.save(file, array)
