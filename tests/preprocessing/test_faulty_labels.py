"""Labels without boxes, in other units or of other classes."""

from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import numpy as np
import pytest
from tests.preprocessing.conftest import MakeCase
from tests.preprocessing.test_jobs import (
    CLASS_NAMES,
    DATASET,
    HISTOGRAM,
    NO_FILTERS,
    REGULAR,
    STORAGE,
)

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, NoLabelsError
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.preprocessing.labels import LabelJob, label_jobs
from etram_pipeline.preprocessing.representations import encode_jobs
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.reader import read_labelled_frames
from etram_pipeline.stores.representation_store import RepresentationStore


def test_labels_in_the_columns_of_gen1_give_the_same_frames(
    make_case: MakeCase, tmp_path: Path
) -> None:
    recording, path = make_case("e05_10hz")
    job = LabelJob(recording, path, "train", DATASET, NO_FILTERS)
    job(tmp_path / "etram", "mark")
    labels = np.load(path)
    theirs = np.zeros(
        len(labels), [("ts", "<u8"), *((n, "<f4") for n in "xywh"), ("class_id", "u1")]
    )
    for name in theirs.dtype.names or ():
        theirs[name] = labels["t" if name == "ts" else name]
    np.save(path, theirs[:, None])

    job(tmp_path / "gen1", "mark")

    wanted, found = (read_labelled_frames(tmp_path / name / LABELS) for name in ("etram", "gen1"))
    np.testing.assert_array_equal(found.times_us, wanted.times_us)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        np.testing.assert_array_equal(found.labels[name], wanted.labels[name])


def test_a_label_file_without_boxes_is_told_from_one_whose_boxes_are_filtered(
    make_case: MakeCase, tmp_path: Path
) -> None:
    recording, path = make_case("e05_10hz")
    np.save(path, np.array([]))

    with pytest.raises(NoLabelsError, match=r"e05_10hz_bbox\.npy holds no boxes"):
        LabelJob(recording, path, "train", DATASET, NO_FILTERS)(tmp_path / "out", "mark")


@pytest.mark.parametrize(
    ("scale", "names", "complaint"),
    [
        (1e-3, "t", r"times seem to be milliseconds.*multiply `t` by 1000$"),
        (1e-6, "t", r"times seem to be seconds.*multiply `t` by 1000000$"),
        (1e3, "t", r"times seem to be nanoseconds.*divide `t` by 1000$"),
        (1 / 1280, "xywh", "fractions of the sensor's size.*multiply `x` and `w` by 1280"),
    ],
)
def test_labels_in_another_unit_are_refused_and_the_unit_named(
    scale: float, names: str, complaint: str, tmp_path: Path
) -> None:
    recording, path = tmp_path / "a_td.h5", tmp_path / "a_bbox.npy"
    with h5py.File(recording, "w") as file:
        for name in "xyp":
            file[f"events/{name}"] = np.ones(2, np.uint16)
        file["events/t"] = [0, 60_000_000]
    labels = np.zeros(1800, LABEL_DTYPE)
    labels["t"] = np.arange(1800) * 33_333
    labels["x"], labels["y"], labels["w"], labels["h"] = 100, 200, 30, 40
    for name in names:
        labels[name] = labels[name] * scale
    np.save(path, labels)

    with pytest.raises(LabelError, match=rf"a_bbox\.npy: .*{complaint}") as raised:
        LabelJob(recording, path, "train", DATASET, NO_FILTERS)(tmp_path / "out", "mark")
    assert not isinstance(raised.value, NoLabelsError)


def test_that_boxes_lie_off_the_sensor_is_told_where_none_is_left(
    make_case: MakeCase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording, path = make_case("e05_10hz")
    labels = np.load(path)
    labels["x"] += 2000
    np.save(path, labels)
    settings = LabelSettings.model_validate({"filters": [{"kind": "crop_to_sensor"}]})

    with pytest.raises(
        NoLabelsError, match=r"no box is left after the filters; \d+ of \d+ boxes lie"
    ):
        LabelJob(recording, path, "train", DATASET, settings)(tmp_path / "out", "mark")
    assert "boxes lie off the sensor of 720 x 1280 px" in caplog.text


def test_a_class_the_dataset_does_not_name_is_refused(make_case: MakeCase, tmp_path: Path) -> None:
    recording, labels = make_case("e06_unsorted_labels")
    dataset = DatasetSettings(height=720, width=1280, class_names=CLASS_NAMES[:3])

    with pytest.raises(LabelError, match="boxes of class 7, but the dataset has only"):
        LabelJob(recording, labels, "train", dataset, NO_FILTERS)(tmp_path / "out", "mark")


def test_classes_that_count_from_one_are_recognised(make_case: MakeCase, tmp_path: Path) -> None:
    recording, labels = make_case("e05_10hz")
    table = np.load(labels)
    table["class_id"] = np.arange(len(table)) % len(DATASET.class_names) + 1
    np.save(labels, table)
    with pytest.raises(LabelError, match=r"If ids count from 1, subtract 1 from `class_id`"):
        LabelJob(recording, labels, "train", DATASET, NO_FILTERS)(tmp_path / "out", "mark")


def test_a_class_below_the_first_is_refused(make_case: MakeCase, tmp_path: Path) -> None:
    recording, labels = make_case("e05_10hz")
    table = np.load(labels)
    signed = [
        (name, "<i4" if name == "class_id" else table.dtype[name]) for name in table.dtype.names
    ]
    table = table.astype(signed)
    table["class_id"][-1] = -1
    np.save(labels, table)

    with pytest.raises(LabelError, match="boxes of class -1, but the dataset has only"):
        LabelJob(recording, labels, "train", DATASET, NO_FILTERS)(tmp_path / "out", "mark")


def test_labels_are_stored_though_the_recording_is_damaged(
    make_case: MakeCase, tmp_path: Path
) -> None:
    recording, labels = make_case("e05_10hz")
    recording.write_bytes(recording.read_bytes()[:500])

    record = LabelJob(recording, labels, "train", DATASET, NO_FILTERS)(tmp_path / "out", "mark")

    assert record.summary.num_frames > 0


def test_recordings_whose_labels_are_damaged_fail_and_the_others_are_encoded(
    make_case: MakeCase, tmp_path: Path
) -> None:
    good, bad = make_case("e05_10hz"), make_case("e04_97999us")
    bad[1].write_bytes(b"no labels")
    recordings = {"train/good": good[0], "train/bad": bad[0], "test/unlabelled": good[0]}
    label_files = {"train/good": good[1], "train/bad": bad[1]}
    root, executor = tmp_path / "store", InlineExecutor()

    jobs = label_jobs(recordings, label_files, DATASET, NO_FILTERS)
    build(root, LABELS, jobs, executor, raise_failures=False)
    labels = LabelStore(root)
    index = build(
        root,
        REPRESENTATIONS,
        encode_jobs(recordings, labels, DATASET, REGULAR, HISTOGRAM, STORAGE),
        executor,
        raise_failures=False,
    )

    assert list(labels) == ["train/good"]
    assert list(RepresentationStore(root)) == ["test/unlabelled", "train/good"]
    assert list(index.failed) == ["train/bad"]
    assert "e04_97999us_bbox.npy cannot be read" in index.failed["train/bad"].message
    assert str(index.failed["train/bad"]).count("LabelError: ") == 1
