"""Preprocessing of whole recordings, against what the reference wrote."""

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import numpy as np
import pytest
from tests.preprocessing.conftest import GOLDEN, MakeCase

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import NoLabelsError, RecordingError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.preprocessing.labels import LabelJob
from etram_pipeline.preprocessing.representations import EncodeJob, encode_jobs
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.reader import read_labelled_frames
from etram_pipeline.stores.settings import StorageSettings

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


def runs(*outcomes: str) -> list[Any]:
    return [
        pytest.param(script, name, id=f"{script}-{name}")
        for script, summary in SUMMARIES.items()
        for name, result in summary["results"].items()
        if result["outcome"] in outcomes
    ]


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
