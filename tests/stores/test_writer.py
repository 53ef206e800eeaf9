"""Writing what is stored of a recording."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import numpy as np
import pytest

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.image_buffer import ImageBuffer, ImageBuffers
from etram_pipeline.events.representations.stacked_histogram import Config as StackedHistogram
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.stores.record import Record, Summary, read_record
from etram_pipeline.stores.settings import Profile
from etram_pipeline.stores.writer import write_labelled_frames, write_representations

PLAN = WindowPlan(np.array([10, 20, 30]), np.array([0, 2]), duration_us=10)
FRAMES = LabelledFrames(np.zeros(4, LABEL_DTYPE), np.array([0, 3]), np.array([0, 0]), 100)


def record(mark: str, num_bytes: int = 0) -> Record:
    summary = Summary(num_bytes=num_bytes)
    return Record(fingerprint=mark, settings={"a": [1]}, summary=summary, interval_us=7)


def describe(mark: str) -> Callable[[int], Record]:
    return lambda num_bytes: record(mark, num_bytes)


def images(num: int = 3, dtype: type = np.uint8) -> Iterator[ImageBuffer]:
    return (ImageBuffer(np.full((2, 4, 6), window, dtype)) for window in range(num))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "event_representations_v2/counts"


@pytest.mark.parametrize(
    ("by", "name"),
    [(1, "event_representations.h5"), (2, "event_representations_ds2_nearest.h5")],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_representations_are_written_as_the_reference_writes_them(
    folder: Path, by: int, name: str, dtype: type
) -> None:
    write_representations(folder, images(dtype=dtype), PLAN, by, describe("mark"))

    with h5py.File(folder / name) as file:
        data = file["data"]
        assert list(file) == ["data"]
        assert data[:, 1, 3, 5].tolist() == [0, 1, 2]
        assert (data.shape, data.maxshape) == ((3, 2, 4, 6), (None, 2, 4, 6))
        assert (data.chunks, data.dtype) == ((1, 2, 4, 6), dtype)
        filters = data.id.get_create_plist()
        assert filters.get_nfilters() == 1
        assert filters.get_filter(0)[0] == 32001
        assert filters.get_filter(0)[2] == (2, 2, 1, 48, 1, 1, 5)
    assert np.load(folder / "timestamps_us.npy").tolist() == [10, 20, 30]
    assert np.load(folder / "objframe_idx_2_repr_idx.npy").tolist() == [0, 2]


def test_representations_say_what_made_them(folder: Path) -> None:
    written = write_representations(folder, images(), PLAN, 1, describe("mark"))

    assert read_record(folder / "event_representations.h5") == written
    assert written.summary.num_bytes > 0
    assert (written.fingerprint, written.settings) == ("mark", {"a": [1]})


def test_the_same_images_are_written_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_representations(tmp_path / name, images(), PLAN, 1, describe("mark"))

    first, second = ((tmp_path / name / "event_representations.h5") for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("profile", "codec"), [("archive", 5), ("training", 1)])
def test_each_profile_holds_the_same_images_in_another_codec(
    folder: Path, profile: Profile, codec: int
) -> None:
    write_representations(folder, images(), PLAN, 1, describe("mark"), profile)

    with h5py.File(folder / "event_representations.h5") as file:
        assert file["data"][:, 0, 0, 0].tolist() == [0, 1, 2]
        assert file["data"].id.get_create_plist().get_filter(0)[2][-1] == codec
        _, chunk = file["data"].id.read_direct_chunk((1, 0, 0, 0))
    # The upper bits of Blosc's third byte are the codec's format: 1 is LZ4, 4 is Zstandard.
    assert chunk[2] >> 5 == {"archive": 4, "training": 1}[profile]


def test_images_keep_their_order_however_long_each_takes(folder: Path) -> None:
    num = 40
    plan = WindowPlan(np.arange(1, num + 1), np.array([0]), duration_us=1)
    rng = np.random.default_rng(0)
    noise, blank = rng.integers(0, 256, (20, 200, 200)).astype(np.uint8), np.uint8(0)
    drawn = [noise * (window % 2) + np.uint8(window) + blank for window in range(num)]

    write_representations(folder, map(ImageBuffer, drawn), plan, 1, describe("mark"))

    with h5py.File(folder / "event_representations.h5") as file:
        for window, image in enumerate(drawn):
            np.testing.assert_array_equal(file["data"][window], image)


def test_buffers_are_given_back_blank(folder: Path) -> None:
    represent = StackedHistogram().build(4, 6)
    buffers = ImageBuffers([represent.buffer()])

    def draw() -> Iterator[ImageBuffer]:
        for time_us in (10, 20, 30):
            buffer = buffers.take()
            assert not buffer.image.any()
            represent.draw(one_event(time_us), buffer)
            yield buffer

    write_representations(folder, draw(), PLAN, 2, describe("mark"))

    with h5py.File(folder / "event_representations_ds2_nearest.h5") as file:
        assert file["data"][:].sum(axis=(1, 2, 3)).tolist() == [1, 1, 1]


def one_event(time_us: int) -> Events:
    one = np.array([1], np.uint16)
    return Events(one, one, np.array([time_us]), np.array([1], np.uint8))


@pytest.mark.parametrize("num_images", [0, 2])
def test_too_few_images_leave_nothing(folder: Path, num_images: int) -> None:
    with pytest.raises(ValueError, match=f"{num_images} images were made for 3 windows"):
        write_representations(folder, images(num_images), PLAN, 1, describe("mark"))

    assert list(folder.iterdir()) == []


def test_one_image_too_many_leaves_nothing(folder: Path) -> None:
    with pytest.raises(ValueError, match="4 images were made for 3 windows"):
        write_representations(folder, images(4), PLAN, 1, describe("mark"))

    assert list(folder.iterdir()) == []


def test_a_failure_in_the_middle_leaves_what_was_there(folder: Path) -> None:
    write_representations(folder, images(), PLAN, 1, describe("old"))
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def fail() -> Iterator[ImageBuffer]:
        yield from images(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_representations(folder, fail(), PLAN, 1, describe("new"))

    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_another_resolution_takes_the_place_of_the_one_before(folder: Path) -> None:
    # Both would share the files of times, which may differ.
    write_representations(folder, images(), PLAN, 1, describe("full"))
    write_representations(folder, images(), PLAN, 2, describe("half"))

    assert [path.name for path in folder.glob("*.h5")] == ["event_representations_ds2_nearest.h5"]


def test_representations_of_another_origin_are_never_replaced(folder: Path) -> None:
    folder.mkdir(parents=True)
    foreign = folder / "event_representations_ds2_nearest.h5"
    with h5py.File(foreign, "w") as file:
        file["data"] = np.zeros((1, 2, 4, 6), np.uint8)
    before = foreign.read_bytes()

    for downsampled_by in (1, 2):
        with pytest.raises(StoreError, match="contains data that was made elsewhere"):
            write_representations(folder, images(), PLAN, downsampled_by, describe("mark"))

    assert foreign.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [foreign.name]


def test_labelled_frames_are_written_as_the_reference_writes_them(tmp_path: Path) -> None:
    write_labelled_frames(tmp_path, FRAMES, record("mark"))

    with np.load(tmp_path / "labels.npz") as arrays:
        assert sorted(arrays) == ["labels", "objframe_idx_2_label_idx"]
        assert arrays["labels"].dtype == LABEL_DTYPE
        assert arrays["objframe_idx_2_label_idx"].tolist() == [0, 3]
    assert np.load(tmp_path / "timestamps_us.npy").tolist() == [0, 0]
    assert read_record(tmp_path / "settings.json") == record("mark")


def test_labels_of_another_origin_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "labels.npz").write_bytes(b"of RVT")

    with pytest.raises(StoreError, match="contains data that was made elsewhere"):
        write_labelled_frames(tmp_path, FRAMES, record("mark"))

    assert (tmp_path / "labels.npz").read_bytes() == b"of RVT"


def test_labels_of_ours_are_replaced(tmp_path: Path) -> None:
    write_labelled_frames(tmp_path, FRAMES, record("old"))
    write_labelled_frames(tmp_path, FRAMES, record("new"))

    found = read_record(tmp_path / "settings.json")
    assert found is not None
    assert found.fingerprint == "new"
