"""Stores that are damaged or contradict themselves."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.stores.test_store import (
    FRAME_WINDOWS,
    IMAGES,
    IMAGES_FILE,
    NAME,
    STOP_US,
    labelled_frames,
    write_as_rvt,
    write_as_we_do,
)

from etram_pipeline.core.errors import StoreError
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import REPRESENTATIONS
from etram_pipeline.stores.representation_store import RepresentationStore


def break_times(folder: Path) -> None:
    np.save(folder / "timestamps_us.npy", STOP_US[:5])


def disorder_times(folder: Path) -> None:
    np.save(folder / "timestamps_us.npy", STOP_US[::-1])


def disorder_frames(folder: Path) -> None:
    np.save(folder / "objframe_idx_2_repr_idx.npy", FRAME_WINDOWS[::-1])


def point_outside(folder: Path) -> None:
    np.save(folder / "objframe_idx_2_repr_idx.npy", np.array([1, 6]))


def remove_times(folder: Path) -> None:
    (folder / "timestamps_us.npy").unlink()


def open_a_bracket(folder: Path) -> None:
    path = folder / "timestamps_us.npy"
    path.write_bytes(path.read_bytes().replace(b"(6,)", b"((6,"))


def write_other_numbers(folder: Path) -> None:
    np.save(folder / "timestamps_us.npy", STOP_US.astype(float))


def truncate(folder: Path) -> None:
    path = folder / IMAGES_FILE
    path.write_bytes(path.read_bytes()[:1000])


def write_other_data(folder: Path) -> None:
    with h5py.File(folder / IMAGES_FILE, "w") as file:
        file["frames"] = IMAGES


def flatten(folder: Path) -> None:
    with h5py.File(folder / IMAGES_FILE, "w") as file:
        file["data"] = IMAGES[0]


def damage_record(folder: Path) -> None:
    with h5py.File(folder / IMAGES_FILE, "a") as file:
        file.attrs["etram_pipeline"] = "{}"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (break_times, "holds 6 windows, but 5 times lie beside it"),
        (disorder_times, "not in order, or lie outside"),
        (disorder_frames, "not in order, or lie outside"),
        (point_outside, "not in order, or lie outside"),
        (remove_times, r"timestamps_us\.npy is missing or damaged"),
        (open_a_bracket, r"timestamps_us\.npy is missing or damaged"),
        (write_other_numbers, "holds float64 of shape"),
        (truncate, "does not hold representations"),
        (write_other_data, "does not hold representations"),
        (flatten, r"an array of shape \(4, 8, 12\)"),
        (damage_record, "the record in .* is damaged"),
    ],
)
def test_damaged_representations_are_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    folder = write_as_rvt(tmp_path, "train/a")
    damage(folder)

    with pytest.raises(StoreError, match=reason) as error:
        RepresentationStore(tmp_path)["train/a"]
    assert str(folder) in str(error.value)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    write_as_we_do(tmp_path, ["train/a"])
    (tmp_path / "train/a" / REPRESENTATIONS / NAME / IMAGES_FILE).unlink()

    with pytest.raises(StoreError, match=r"there is no file .*_ds2_nearest\.h5: run `preprocess`"):
        RepresentationStore(tmp_path)["train/a"]


def test_images_that_cannot_be_decompressed_are_told_with_their_place(tmp_path: Path) -> None:
    folder = write_as_rvt(tmp_path, "train/a")
    frames = RepresentationStore(tmp_path)["train/a"]
    with h5py.File(folder / IMAGES_FILE) as file:
        info = file["data"].id.get_chunk_info(2)
    content = bytearray((folder / IMAGES_FILE).read_bytes())
    content[info.byte_offset : info.byte_offset + info.size] = bytes(info.size)
    (folder / IMAGES_FILE).write_bytes(content)

    with pytest.raises(StoreError, match="is damaged at windows 1 to 4"):
        frames.read(1, 4)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"first_label": np.array([0, 3, 2])}, id="frames out of order"),
        pytest.param({"first_label": np.array([0, 2])}, id="a frame too few"),
        pytest.param({"first_label": np.array([0, 2, 5])}, id="boxes in the frame before theirs"),
        pytest.param({"first_label": np.array([1, 2, 3])}, id="a box without frame"),
        pytest.param({"times_us": np.array([100, 200, 301])}, id="another time"),
    ],
)
def test_labels_that_contradict_each_other_are_refused(
    tmp_path: Path, changes: dict[str, np.ndarray]
) -> None:
    write_as_rvt(tmp_path, "train/a")
    folder, frames = tmp_path / "train/a/labels_v2", labelled_frames()
    first_label = changes.get("first_label", frames.first_label)
    np.savez(folder / "labels.npz", labels=frames.labels, objframe_idx_2_label_idx=first_label)
    np.save(folder / "timestamps_us.npy", changes.get("times_us", frames.times_us))

    with pytest.raises(StoreError, match="contradict each other"):
        LabelStore(tmp_path)["train/a"]


def test_labels_whose_writing_was_interrupted_are_refused(tmp_path: Path) -> None:
    write_as_we_do(tmp_path, ["train/a"])
    path = tmp_path / "train/a/labels_v2/settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fingerprint": ""}))

    with pytest.raises(StoreError, match=r"writing .*labels\.npz was interrupted"):
        LabelStore(tmp_path)["train/a"]


def test_damaged_labels_are_refused_by_name(tmp_path: Path) -> None:
    write_as_rvt(tmp_path, "train/a")
    (tmp_path / "train/a/labels_v2/labels.npz").write_bytes(b"PK")

    with pytest.raises(StoreError, match=r"labels\.npz does not hold labelled frames"):
        LabelStore(tmp_path)["train/a"]
