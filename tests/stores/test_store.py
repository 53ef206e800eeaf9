"""Reading what is stored, here and by the reference."""

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.stores.index import Index, IndexEntry, write_index
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.stores.writer import write_labelled_frames, write_representations

ENCODING = EncodingSettings.model_validate(
    {"windows": {"kind": "regular"}, "representation": {"kind": "stacked_histogram", "bins": 2}}
)
NAME = "stacked_histogram_dt=50_nbins=10"
IMAGES_FILE = "event_representations_ds2_nearest.h5"
IMAGES = np.random.default_rng(0).integers(0, 11, (6, 4, 8, 12)).astype(np.uint8)
STOP_US = np.array([50, 100, 150, 200, 250, 300])
FRAME_WINDOWS = np.array([1, 3, 5])
MakeFrames = Callable[..., Path]


def labelled_frames() -> LabelledFrames:
    table = np.zeros(5, LABEL_DTYPE)
    table["t"] = [100, 100, 200, 300, 300]
    table["x"] = np.arange(5)
    return LabelledFrames(table, np.array([0, 2, 3]), np.array([100, 200, 300]), 99)


def write_as_rvt(root: Path, key: str, name: str = NAME, images_file: str = IMAGES_FILE) -> Path:
    """Files as RVT's script writes them: no records, no index."""
    labels = root / key / "labels_v2"
    labels.mkdir(parents=True, exist_ok=True)
    frames = labelled_frames()
    np.savez(
        labels / "labels.npz",
        labels=frames.labels,
        objframe_idx_2_label_idx=frames.first_label,
    )
    np.save(labels / "timestamps_us.npy", frames.times_us)
    folder = root / key / "event_representations_v2" / name
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "timestamps_us.npy", STOP_US)
    np.save(folder / "objframe_idx_2_repr_idx.npy", FRAME_WINDOWS)
    with h5py.File(folder / images_file, "w") as file:
        file.create_dataset(
            "data",
            data=IMAGES,
            chunks=(1, 4, 8, 12),
            maxshape=(None, 4, 8, 12),
            **hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=1),
        )
    return folder


def write_as_we_do(root: Path, keys: list[str]) -> None:
    plan = WindowPlan(STOP_US, FRAME_WINDOWS, duration_us=50)
    summary = Summary(num_windows=6, num_events=77, num_dropped=3)
    record = Record(fingerprint="f" * 16, settings=ENCODING.as_plain_data(), summary=summary)
    for product, file in (
        (LABELS, f"{LABELS}/settings.json"),
        (REPRESENTATIONS, f"{REPRESENTATIONS}/{NAME}/{IMAGES_FILE}"),
    ):
        entries = {
            key: IndexEntry(file=f"{key}/{file}", fingerprint=record.fingerprint, summary=summary)
            for key in keys
        }
        write_index(root, product, Index(complete=True, recordings=entries))
    for key in keys:
        frames = labelled_frames()
        with_interval = record.model_copy(update={"interval_us": 99})
        write_labelled_frames(root / key / LABELS, frames, with_interval)
        folder = root / key / REPRESENTATIONS / NAME
        write_representations(folder, map(ImageBuffer, IMAGES), plan, 2, lambda _: record)


@pytest.mark.parametrize("write", [write_as_we_do, lambda root, keys: write_as_rvt(root, keys[0])])
def test_stored_representations_are_read_back(
    tmp_path: Path, write: Callable[[Path, list[str]], object]
) -> None:
    write(tmp_path, ["train/a"])

    frames = RepresentationStore(tmp_path, NAME)["train/a"]

    np.testing.assert_array_equal(frames.read(0, 6), IMAGES)
    np.testing.assert_array_equal(frames.read(2, 4), IMAGES[2:4])
    assert frames.read(3, 3).shape == (0, 4, 8, 12)
    assert (frames.key, frames.num_windows, frames.downsampled_by) == ("train/a", 6, 2)
    assert (frames.channels, frames.height, frames.width, frames.dtype) == (4, 8, 12, "uint8")
    np.testing.assert_array_equal(frames.stop_us, STOP_US)
    np.testing.assert_array_equal(frames.frame_windows, FRAME_WINDOWS)


@pytest.mark.parametrize("write", [write_as_we_do, lambda root, keys: write_as_rvt(root, keys[0])])
def test_stored_labels_are_read_back(
    tmp_path: Path, write: Callable[[Path, list[str]], object]
) -> None:
    write(tmp_path, ["train/a"])

    frames = LabelStore(tmp_path)["train/a"]

    np.testing.assert_array_equal(frames.labels, labelled_frames().labels)
    assert frames.times_us.tolist() == [100, 200, 300]
    assert frames[0]["x"].tolist() == [0, 1]


def test_only_what_was_made_here_says_how_it_was_made(tmp_path: Path) -> None:
    write_as_we_do(tmp_path / "ours", ["train/a"])
    write_as_rvt(tmp_path / "theirs", "train/a")

    ours, theirs = (RepresentationStore(tmp_path / name)["train/a"] for name in ("ours", "theirs"))
    assert ours.encoding == ENCODING
    assert ours.summary is not None
    assert (ours.summary.num_events, ours.summary.num_dropped) == (77, 3)
    assert (theirs.encoding, theirs.summary) == (None, None)
    assert LabelStore(tmp_path / "ours")["train/a"].interval_us == 99
    assert LabelStore(tmp_path / "theirs")["train/a"].interval_us == 0


def test_settings_of_another_version_are_named(tmp_path: Path) -> None:
    write_as_we_do(tmp_path, ["train/a"])
    plain = ENCODING.as_plain_data()
    plain["representation"]["kind"] = "spike_tensor"
    with h5py.File(tmp_path / "train/a" / REPRESENTATIONS / NAME / IMAGES_FILE, "a") as file:
        record = Record.model_validate_json(file.attrs["etram_pipeline"])
        changed = record.model_copy(update={"settings": plain})
        file.attrs["etram_pipeline"] = changed.model_dump_json()
    with pytest.raises(StoreError, match=r"made with settings .* unknown kind 'spike_tensor'"):
        RepresentationStore(tmp_path)["train/a"]


def test_a_handle_can_be_sent_to_another_process(tmp_path: Path) -> None:
    write_as_rvt(tmp_path, "train/a")
    frames = RepresentationStore(tmp_path)["train/a"]

    received = pickle.loads(pickle.dumps(frames))

    np.testing.assert_array_equal(received.read(1, 2), IMAGES[1:2])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (4, 7), (3, 2)])
def test_windows_that_do_not_exist_cannot_be_read(tmp_path: Path, start: int, stop: int) -> None:
    write_as_rvt(tmp_path, "train/a")

    with pytest.raises(IndexError, match="train/a has 6"):
        RepresentationStore(tmp_path)["train/a"].read(start, stop)


def test_an_index_decides_which_recordings_there_are(tmp_path: Path) -> None:
    write_as_rvt(tmp_path, "train/left_over")
    write_as_we_do(tmp_path, ["train/a", "val/b"])

    assert list(RepresentationStore(tmp_path)) == ["train/a", "val/b"]
    assert list(LabelStore(tmp_path)) == ["train/a", "val/b"]
    assert RepresentationStore(tmp_path).summaries["val/b"].num_events == 77
    with pytest.raises(KeyError):
        RepresentationStore(tmp_path)["train/left_over"]


def test_without_an_index_all_recordings_are_found_in_order(tmp_path: Path) -> None:
    for key in ("val/b", "train/z", "train/a", "test/c"):
        write_as_rvt(tmp_path, key)

    assert list(RepresentationStore(tmp_path)) == ["train/a", "train/z", "val/b", "test/c"]
    assert list(LabelStore(tmp_path)) == ["train/a", "train/z", "val/b", "test/c"]


def test_of_several_representations_one_must_be_named(tmp_path: Path) -> None:
    write_as_rvt(tmp_path, "train/a")
    write_as_rvt(tmp_path, "train/a", name="mixeddensity_stack_dt=50_nbins=10_cutoff=32")

    with pytest.raises(StoreError, match="but only one of them is wanted"):
        RepresentationStore(tmp_path)
    store = RepresentationStore(tmp_path, NAME)
    assert store.representation_name == NAME
    assert store["train/a"].path.parent.name == NAME


def test_a_representation_that_is_not_there_is_told_from_those_that_are(tmp_path: Path) -> None:
    write_as_we_do(tmp_path, ["train/a"])

    with pytest.raises(StoreError, match=r"holds \['stacked_hist.*, but other is wanted"):
        RepresentationStore(tmp_path, "other")


def test_half_the_resolution_is_preferred(tmp_path: Path) -> None:
    for name in (IMAGES_FILE, "event_representations.h5"):
        write_as_rvt(tmp_path, "train/a", images_file=name)

    assert RepresentationStore(tmp_path)["train/a"].downsampled_by == 2


@pytest.mark.parametrize("store", [RepresentationStore, LabelStore])
def test_a_folder_without_recordings_is_no_store(
    tmp_path: Path, store: Callable[[Path], object]
) -> None:
    with pytest.raises(StoreError, match="run `preprocess` first"):
        store(tmp_path)


@pytest.mark.parametrize(("store", "num_different"), [(RepresentationStore, 3), (LabelStore, 2)])
def test_a_store_changes_its_fingerprint_with_its_recordings(
    tmp_path: Path, store: Callable[[Path], object], num_different: int
) -> None:
    """Labels are known by their content, whoever wrote them."""
    write_as_we_do(tmp_path / "one", ["train/a"])
    write_as_we_do(tmp_path / "two", ["train/a", "train/b"])
    write_as_rvt(tmp_path / "theirs", "train/a")

    names = ("one", "two", "theirs")
    assert len({fingerprint(store(tmp_path / name)) for name in names}) == num_different


def test_a_store_says_what_it_is(tmp_path: Path) -> None:
    write_as_we_do(tmp_path, ["train/a"])

    assert repr(RepresentationStore(tmp_path)) == f"RepresentationStore({tmp_path}, 1 recording)"
