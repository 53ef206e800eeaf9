"""Detections of whole recordings."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.training.runs import NANO

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.inference.predict import predict_recording, predict_recordings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint

Record = Callable[..., LabelledRecordings]


@pytest.fixture
def detector(blueprint: Blueprint) -> Detector:
    torch.manual_seed(0)
    return blueprint.detector.build(2, 2)


def settings(**changes: object) -> PredictSettings:
    return PredictSettings.model_validate(
        {"windows": "all", "device": "cpu", "precision": "32", "workers": 0, "clip_length": 4}
        | changes
    )


def one_window_at_a_time(detector: Detector, frames: RepresentationsInMemory) -> np.ndarray:
    """Left edges of the boxes, found with the state carried by hand."""
    state: State = ()
    found = []
    for window in range(frames.num_windows):
        batch = SequenceBatch(
            torch.from_numpy(frames.read(window, window + 1))[:, None],
            torch.tensor([window == 0]),
            torch.tensor([[0, 0]]),
        )
        with torch.inference_mode():
            detections, state = detector.eval().detect(batch, state, SuppressionSettings())
        found.append(detections[0].boxes_xyxy[0, 0].item())
    return np.array(found, np.float32)


@pytest.mark.parametrize(
    "changes", [{"lanes": 1}, {"lanes": 2}, {"clip_length": 7}, {"workers": 2}]
)
def test_every_way_of_reading_finds_the_same(
    record: Record, detector: Detector, changes: dict[str, object]
) -> None:
    frames = dict(record(3).frames) | dict(record(1, num_windows=5, first_seed=8).frames)
    tables = dict(predict_recordings(detector, frames, settings(**changes)))
    assert tables.keys() == frames.keys()
    for name, stored in frames.items():
        assert isinstance(stored, RepresentationsInMemory)
        np.testing.assert_array_equal(tables[name]["t"], stored.stop_us)
        expected = one_window_at_a_time(detector, stored)
        np.testing.assert_allclose(tables[name]["x"], expected, atol=1e-4)


def test_labelled_windows_are_read_as_training_reads_them(
    record: Record, detector: Detector
) -> None:
    frames = record(1).frames["train/r0"]
    table = predict_recording(detector, frames, settings(windows="labelled"))
    np.testing.assert_array_equal(table["t"], frames.stop_us[frames.frame_windows])


def test_a_recording_without_labels_or_windows_has_an_empty_table(detector: Detector) -> None:
    empty = np.empty(0, np.int64)
    unlabelled = RepresentationsInMemory(np.zeros((6, 2, 32, 32), np.uint8), np.arange(6), empty)
    bare = RepresentationsInMemory(np.zeros((0, 2, 32, 32), np.uint8), empty, empty)
    labelled = settings(windows="labelled")
    assert len(predict_recording(detector, unlabelled, labelled)) == 0
    assert len(predict_recording(detector, bare, settings())) == 0
    assert len(predict_recording(detector, unlabelled, settings())) == 6
    assert dict(predict_recordings(detector, {}, settings())) == {}


def test_boxes_are_in_px_of_the_sensor(record: Record, detector: Detector) -> None:
    whole = record(1).frames["train/r0"]
    assert isinstance(whole, RepresentationsInMemory)
    half = RepresentationsInMemory(
        whole.images, whole.stop_us, whole.frame_windows, downsampled_by=2
    )

    def boxes(table: DetectionTable) -> np.ndarray:
        return np.stack([table[column] for column in "xywh"])

    expected = 2 * boxes(predict_recording(detector, whole, settings()))
    np.testing.assert_allclose(boxes(predict_recording(detector, half, settings())), expected)


def test_a_detector_that_trains_detects_in_evaluation_mode(
    record: Record, detector: Detector
) -> None:
    before = {name: value.clone() for name, value in detector.train().state_dict().items()}
    predict_recording(detector, record(1).frames["train/r0"], settings())
    assert all(torch.equal(before[name], value) for name, value in detector.state_dict().items())


def test_low_precision_finds_nearly_the_same(record: Record) -> None:
    torch.manual_seed(0)
    detector = NANO.build(2, 2)
    frames = record(1).frames["train/r0"]
    every_anchor = {"suppression": SuppressionSettings(score_threshold=0, iou_threshold=1.0)}
    exact, rough = (
        predict_recording(detector, frames, settings(precision=precision, **every_anchor))
        for precision in ("32", "bf16-mixed")
    )
    assert len(exact) == len(rough)
    assert np.sort(rough["score"]) == pytest.approx(np.sort(exact["score"]), abs=1e-3)
