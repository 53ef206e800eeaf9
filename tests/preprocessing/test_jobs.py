"""Preprocessing of whole recordings, against what the reference wrote."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import numpy as np
import pytest

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, NoLabelsError, RecordingError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.preprocessing.labels import LabelJob, label_jobs
from etram_pipeline.preprocessing.representations import EncodeJob, encode_jobs
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.reader import read_labelled_frames
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.stores.settings import StorageSettings

ROOT = Path(__file__).parents[2]
FULL, SMALL = ROOT / "../shared/golden/preproc", ROOT / "tests/golden/preproc"
GOLDEN = FULL if FULL.is_dir() else SMALL
INPUTS = json.loads((GOLDEN / "inputs/index.json").read_text())
SUMMARIES = {
    script: json.loads((GOLDEN / script / "summary.json").read_text())
    for script in ("out_etram", "out_rvt")
}

CLASS_NAMES = ("pedestrian", "car", "bicycle", "bus", "motorbike", "truck", "tram", "wheelchair")
DATASET = DatasetSettings(height=720, width=1280, class_names=CLASS_NAMES)
ALIGNED = WindowConfig.model_validate({"kind": "label_aligned"})
REGULAR = WindowConfig.model_validate({"kind": "regular"})
HISTOGRAM = RepresentationConfig.model_validate({"kind": "stacked_histogram"})
NO_FILTERS = LabelSettings()
STORAGE = StorageSettings()

MakeCase = Callable[[str], tuple[Path, Path]]


def runs(*outcomes: str) -> list[Any]:
    return [
        pytest.param(script, name, id=f"{script}-{name}")
        for script, summary in SUMMARIES.items()
        for name, result in summary["results"].items()
        if result["outcome"] in outcomes
    ]


@pytest.fixture
def make_case(tmp_path: Path) -> MakeCase:
    """Writes the recording and the labels of a golden case in eTraM's format."""

    def make(case: str) -> tuple[Path, Path]:
        recording, labels = tmp_path / f"{case}_td.h5", tmp_path / f"{case}_bbox.npy"
        with np.load(GOLDEN / f"inputs/{case}.npz") as arrays:
            with h5py.File(recording, "w") as file:
                for name in "xypt":
                    file[f"events/{name}"] = arrays[name]
                if arrays["hw"]:
                    file["events/height"], file["events/width"] = 720, 1280
            np.save(labels, arrays["labels"])
        return recording, labels

    return make


def label_settings(script: str, config: dict[str, Any]) -> LabelSettings:
    filters: list[dict[str, Any]] = []
    if script == "out_rvt":
        filters.append({"kind": "select_classes", "class_names": CLASS_NAMES[:3]})
    filters.append({"kind": "crop_to_sensor"})
    size = {"side_px": 20, "diagonal_px": 60} if config["psee"] else {"side_px": 5}
    filters.append({"kind": "minimum_size", **size})
    if config["faulty"]:
        filters.append({"kind": "maximum_width"})
    return LabelSettings.model_validate({"filters": filters})


def representation(config: dict[str, Any]) -> RepresentationConfig:
    found = config["rep"]
    if found["kind"] == "mixeddensity_stack":
        kind = {"kind": "mixed_density", "cutoff": found["cutoff"], "overflow": "wrap"}
    else:
        overflow = "wrap" if found["fastmode"] else "saturate"
        kind = {
            "kind": "stacked_histogram",
            "max_count": found["cutoff"],
            "overflow": overflow,
        }
    return RepresentationConfig.model_validate(
        {**kind, "bins": found["nbins"], "downsample": "nearest" if config["ds2"] else None}
    )


def windows(config: dict[str, Any]) -> WindowConfig:
    extent = {"duration_ms": config["dt"], "num_events": config["ne"]}
    return WindowConfig.model_validate({"kind": "label_aligned", **extent})


def preprocess(script: str, name: str, make_case: MakeCase, folder: Path) -> Path:
    """Run both jobs of a golden case and return the folder of its representations."""
    case, config_name = name.split("__")
    config = SUMMARIES[script]["configs"][config_name]
    recording, labels = make_case(case)
    split = INPUTS[case]["split"]
    LabelJob(recording, labels, split, DATASET, label_settings(script, config))(folder, "mark")
    frames = read_labelled_frames(folder / LABELS)
    job = EncodeJob(
        recording,
        tuple(frames.times_us.tolist()),
        frames.interval_us,
        DATASET,
        windows(config),
        representation(config),
        STORAGE,
    )
    job(folder, "mark")
    return folder / REPRESENTATIONS / job.representation.name(job.windows)


@pytest.mark.parametrize(("script", "name"), runs("ok"))
def test_stored_files_are_those_of_the_reference(
    script: str, name: str, make_case: MakeCase, tmp_path: Path
) -> None:
    result = SUMMARIES[script]["results"][name]
    made = preprocess(script, name, make_case, tmp_path / "out")

    with np.load(GOLDEN / script / f"{name}.npz") as golden:
        with np.load(tmp_path / "out/labels_v2/labels.npz") as labels:
            assert sorted(labels) == ["labels", "objframe_idx_2_label_idx"]
            assert_same(labels["labels"], golden["labels"])
            assert_same(labels["objframe_idx_2_label_idx"], golden["objframe_idx_2_label_idx"])
        times_us = np.load(tmp_path / "out/labels_v2/timestamps_us.npy")
        assert_same(times_us, golden["frame_timestamps_us"])
        frame_windows = np.load(made / "objframe_idx_2_repr_idx.npy")
        assert_same(frame_windows, golden["objframe_idx_2_repr_idx"])
        assert_same(np.load(made / "timestamps_us.npy"), golden["repr_timestamps_us"])

        suffix = "_ds2_nearest" if SUMMARIES[script]["configs"][name.split("__")[1]]["ds2"] else ""
        with h5py.File(made / f"event_representations{suffix}.h5") as file:
            data = file["data"]
            assert list(data.shape) == result["shape"]
            assert str(data.dtype) == result["dtype"]
            assert h5_layout(data) == result["h5"]
            digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in data]
            # In this case the reference writes events outside the sensor into other pixels' cells.
            has_wrong_cells = name.startswith("e07")
            assert (digests == golden["sha256"].tolist()) != has_wrong_cells


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


def h5_layout(data: h5py.Dataset) -> dict[str, Any]:
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return {
        "chunks": list(data.chunks),
        "filters": {str(number): list(options) for number, _, options, _ in filters},
        "maxshape": list(data.maxshape),
    }


@pytest.mark.parametrize(
    ("case", "times_us", "num_windows"),
    [
        pytest.param("e01_single_label_ts", [300_000], 5, id="one labelled moment"),
        pytest.param("e03_close_ts", [100_000, 200_000, 300_000], 13, id="labels 1 ms apart"),
        pytest.param("e04_97999us", [100_000, 197_999], 3, id="a frame just early enough"),
        pytest.param("e05_10hz", [100_000, 200_000, 300_000], 21, id="labels at 10 Hz"),
        pytest.param("e06_unsorted_labels", [100_000, 200_000, 300_000], 17, id="unsorted labels"),
        pytest.param(
            "e07_x_out_of_range", [100_000, 200_000, 300_000], 9, id="x beyond the sensor"
        ),
    ],
)
def test_sound_data_the_reference_fails_on_are_encoded(
    case: str, times_us: list[int], num_windows: int, make_case: MakeCase, tmp_path: Path
) -> None:
    made = preprocess("out_etram", f"{case}__sh_dt50_consfilter", make_case, tmp_path / "out")

    frames = read_labelled_frames(tmp_path / "out/labels_v2")
    assert frames.times_us[:3].tolist() == times_us
    with h5py.File(made / "event_representations_ds2_nearest.h5") as file:
        assert len(file["data"]) == num_windows
        assert file["data"][:].any()


def test_events_outside_the_sensor_are_dropped_and_counted(
    make_case: MakeCase, tmp_path: Path
) -> None:
    recording, _ = make_case("e07_x_out_of_range")
    job = EncodeJob(recording, (), 0, DATASET, REGULAR, HISTOGRAM, STORAGE)

    summary = job(tmp_path / "out", "mark").summary

    with np.load(GOLDEN / "inputs/e07_x_out_of_range.npz") as arrays:
        is_inside = (arrays["x"] < 1280) & (arrays["y"] < 720)
        is_kept = is_inside & (arrays["x"] % 2 == 1) & (arrays["y"] % 2 == 1)
    assert (summary.num_events, summary.num_dropped) == (3000, np.sum(~is_inside))
    with h5py.File(tmp_path / "out" / job.outputs[-1]) as file:
        # Events on the borders between windows, where there are none here, would count twice.
        assert file["data"][:].sum() == np.sum(is_kept)


def test_the_log_tells_of_dropped_events(
    make_case: MakeCase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording, _ = make_case("e07_x_out_of_range")
    jobs = encode_jobs({"train/a": recording}, {}, DATASET, REGULAR, HISTOGRAM, STORAGE)

    build(tmp_path / "store", REPRESENTATIONS, jobs, InlineExecutor())

    assert "train/a: of 3000 events, 60 lie outside the sensor and were left out" in caplog.text


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("s10_all_filtered", "no box is left after the filters"),
        ("e02_all_before_100ms", "all labels are before 100 ms"),
    ],
)
def test_a_recording_without_any_frame_says_why(
    case: str, reason: str, make_case: MakeCase, tmp_path: Path
) -> None:
    with pytest.raises(NoLabelsError, match=reason):
        preprocess("out_etram", f"{case}__sh_dt50_consfilter", make_case, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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


def test_a_recording_of_45_ms_has_a_window(tmp_path: Path) -> None:
    recording = tmp_path / "short.h5"
    with h5py.File(recording, "w") as file:
        for name in "xyp":
            file[f"events/{name}"] = np.ones(10, np.uint16)
        file["events/t"] = np.linspace(0, 45_000, 10).astype(np.int64)

    record = EncodeJob(recording, (), 0, DATASET, REGULAR, HISTOGRAM, STORAGE)(
        tmp_path / "out", "mark"
    )

    assert record.summary.num_windows == 1


def test_a_recording_without_events_is_refused(tmp_path: Path) -> None:
    recording = tmp_path / "empty.h5"
    with h5py.File(recording, "w") as file:
        for name in "xypt":
            file[f"events/{name}"] = np.zeros(0, np.int64)

    with pytest.raises(RecordingError, match=r"empty\.h5"):
        EncodeJob(recording, (), 0, DATASET, REGULAR, HISTOGRAM, STORAGE)(tmp_path / "out", "mark")


def test_without_labels_the_error_names_the_other_windows(
    make_case: MakeCase, tmp_path: Path
) -> None:
    recording, _ = make_case("e05_10hz")

    with pytest.raises(NoLabelsError, match=r"windows: \{kind: regular\}"):
        EncodeJob(recording, (), 0, DATASET, ALIGNED, HISTOGRAM, STORAGE)(tmp_path / "out", "mark")


@pytest.mark.parametrize(
    ("size", "image"), [((1, 500), "20 x 0 x 250"), ((2**16,) * 2, "20 x 32768")]
)
def test_images_that_cannot_be_stored_are_refused_before_memory_is_taken(
    size: tuple[int, int], image: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in "xypt":
            file[f"events/{name}"] = np.ones(3, np.int64)
        file["events/height"], file["events/width"] = size

    with pytest.raises(RecordingError, match=rf"a sensor of .* gives images of {image}"):
        EncodeJob(path, (), 0, DATASET, REGULAR, HISTOGRAM, STORAGE)(tmp_path / "out", "mark")


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
    with pytest.raises(LabelError, match=r"ids count from 1\? Then subtract 1 from `class_id`"):
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


def test_boxes_alone_do_not_make_representations_out_of_date(make_case: MakeCase) -> None:
    recording, labels = make_case("e05_10hz")
    job = EncodeJob(recording, (100_000,), 100_000, DATASET, ALIGNED, HISTOGRAM, STORAGE)
    renamed = DATASET.model_copy(update={"class_names": ("a", "b")})

    assert fingerprint(job) == fingerprint(
        EncodeJob(recording, (100_000,), 100_000, renamed, ALIGNED, HISTOGRAM, STORAGE)
    )
    others = [
        EncodeJob(recording, (100_001,), 100_000, DATASET, ALIGNED, HISTOGRAM, STORAGE),
        EncodeJob(recording, (100_000,), 100_001, DATASET, ALIGNED, HISTOGRAM, STORAGE),
        EncodeJob(recording, (100_000,), 100_000, DATASET, REGULAR, HISTOGRAM, STORAGE),
        EncodeJob(labels, (100_000,), 100_000, DATASET, ALIGNED, HISTOGRAM, STORAGE),
    ]
    assert len({fingerprint(other) for other in [job, *others]}) == 5


def test_labels_are_out_of_date_when_a_filter_or_the_file_changes(make_case: MakeCase) -> None:
    recording, labels = make_case("e05_10hz")
    before = fingerprint(LabelJob(recording, labels, "train", DATASET, NO_FILTERS))
    crop = LabelSettings.model_validate({"filters": [{"kind": "crop_to_sensor"}]})

    cropped = fingerprint(LabelJob(recording, labels, "train", DATASET, crop))
    np.save(labels, np.zeros(3, LABEL_DTYPE))
    changed = fingerprint(LabelJob(recording, labels, "train", DATASET, NO_FILTERS))

    assert len({before, cropped, changed}) == 3


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
