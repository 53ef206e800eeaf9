"""Labels at irregular times, from files through stores and a detector to metrics."""

from pathlib import Path

import numpy as np
import pytest
from tests.moving_box import HEIGHT, SIDE, WIDTH, FindsEvents, left_px, record

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.clips.ground_truth import ground_truth
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.evaluation import evaluate
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.inference.predict import predict_recordings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.labels.moments import LeftOut
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.preprocessing.labels import label_jobs
from etram_pipeline.preprocessing.representations import encode_jobs
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.stores.settings import StorageSettings

DATASET = DatasetSettings(height=HEIGHT, width=WIDTH, class_names=("box",))
MOMENTS = {
    "irregular": [110_000, 117_300, 171_000, 293_001, 297_000, 410_000, 450_000, 499_000],
    "jittered": [102_000, 131_000, 168_500, 199_000, 234_500, 265_000, 301_000, 332_000],
    "paused": [100_000, 150_000, 200_000, 375_000, 425_000, 475_000],
}


def label_file(recording: Path, times_us: list[int]) -> Path:
    """Boxes of 50 by 40 px where the events are."""
    labels = np.zeros(len(times_us), LABEL_DTYPE)
    labels["t"], labels["x"], labels["y"] = times_us, left_px(np.array(times_us)), 10
    labels["w"], labels["h"] = SIDE, 40
    path = recording.with_name(f"{recording.stem}_bbox.npy")
    np.save(path, labels)
    return path


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelStore, RepresentationStore]:
    """Labelled frames and histograms of half a second with labels off any grid."""
    folder = tmp_path_factory.mktemp("irregular")
    recordings = {f"test/{name}": folder / f"{name}.npy" for name in MOMENTS}
    for path in recordings.values():
        record(path, seed=0)
    files = {
        f"test/{name}": label_file(folder / f"{name}.npy", [*times_us, 5_000_000])
        for name, times_us in MOMENTS.items()
    }
    settings = LabelSettings(frames="spaced", frame_interval_ms=None)
    build(
        folder / "labels",
        LABELS,
        label_jobs(recordings, files, DATASET, settings),
        InlineExecutor(),
    )
    labels = LabelStore(folder / "labels")
    windows = WindowConfig.model_validate({"kind": "label_aligned"})
    fields = {"kind": "stacked_histogram", "bins": 2, "downsample": None}
    representation = RepresentationConfig.model_validate(fields)
    jobs = encode_jobs(recordings, labels, DATASET, windows, representation, StorageSettings())
    build(folder / "histograms", REPRESENTATIONS, jobs, InlineExecutor())
    return labels, RepresentationStore(folder / "histograms")


def test_every_label_is_a_frame_at_the_end_of_a_window(
    stores: tuple[LabelStore, RepresentationStore],
) -> None:
    labels, histograms = stores
    for name, times_us in MOMENTS.items():
        frames, stored = labels[f"test/{name}"], histograms[f"test/{name}"]
        assert frames.times_us.tolist() == times_us
        assert frames.left_out == LeftOut(outside=1)
        assert stored.stop_us[stored.frame_windows].tolist() == times_us


def test_each_frame_is_detected_and_scored_once(
    stores: tuple[LabelStore, RepresentationStore],
) -> None:
    """In a window of 50 ms the box moves by 8 px, and the IoU is 50 / 58, above 0.85."""
    labels, histograms = stores
    settings = PredictSettings(device="cpu", lanes=2)
    found = dict(predict_recordings(FindsEvents(), dict(histograms), settings))
    for name, times_us in MOMENTS.items():
        assert found[f"test/{name}"]["t"].tolist() == times_us
    tables = {key: labels[key].labels for key in labels}
    metrics = evaluate(tables, found, "coco", ("box",))
    assert metrics.num_frames == metrics.num_detections == sum(map(len, MOMENTS.values()))
    assert metrics.overall["AP"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("empty_frames", "empty_ms"),
    [("none", []), ("grid", [200, 250, 300]), ("listed", [120, 250, 470])],
)
def test_empty_frames_are_stored_detected_and_scored(
    tmp_path: Path, empty_frames: str, empty_ms: list[int]
) -> None:
    """Boxes at 100, 150, 350, 400 and 450 ms, and one at 250 ms that a filter drops."""
    path = tmp_path / "a.npy"
    record(path, seed=0)
    label_path = label_file(path, [100_000, 150_000, 250_000, 350_000, 400_000, 450_000])
    labels = np.load(label_path)
    labels["w"][2] = 3
    np.save(label_path, labels)
    np.save(tmp_path / "a_annotated.npy", np.array([120_000, 150_000, 470_000]))
    settings = LabelSettings.model_validate(
        {
            "frames": "spaced",
            "frame_interval_ms": None,
            "empty_frames": empty_frames,
            "filters": [{"kind": "minimum_size", "side_px": 5}],
        }
    )
    jobs = label_jobs({"test/a": path}, {"test/a": label_path}, DATASET, settings)
    build(tmp_path / "labels", LABELS, jobs, InlineExecutor())
    store = LabelStore(tmp_path / "labels")
    frames = store["test/a"]
    assert (frames.empty_us // 1000).tolist() == empty_ms
    assert frames.left_out == LeftOut(filtered=0 if empty_ms else 1)

    windows = WindowConfig.model_validate({"kind": "label_aligned"})
    fields = {"kind": "stacked_histogram", "bins": 2, "downsample": None}
    representation = RepresentationConfig.model_validate(fields)
    encode = encode_jobs(
        {"test/a": path}, store, DATASET, windows, representation, StorageSettings()
    )
    build(tmp_path / "histograms", REPRESENTATIONS, encode, InlineExecutor())
    stored = RepresentationStore(tmp_path / "histograms")["test/a"]
    truth = ground_truth({"test/a": stored}, store)["test/a"]
    assert [len(boxes.class_ids) for boxes in truth] == frames.num_boxes.tolist()

    found = dict(
        predict_recordings(FindsEvents(), {"test/a": stored}, PredictSettings(device="cpu"))
    )
    metrics = evaluate(LabelTables(store), found, "coco", ("box",))
    assert (metrics.num_labels, metrics.num_frames) == (5, 5 + len(empty_ms))
    assert metrics.num_detections == metrics.num_frames
