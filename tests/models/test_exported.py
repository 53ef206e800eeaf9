"""Exported detectors behind the interface of all others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.exported import CLASS_NAMES, ENCODING, describe, some_windows, write_exported
from torch import Tensor

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.errors import CheckpointError, ExportError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models import load_detector
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.detector import State
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.exported import ExportedDetector
from etram_pipeline.models.lanes import use_cores
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.selection import Found, select

SUPPRESSION = SuppressionSettings(score_threshold=0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_exported(tmp_path / "detector.onnx")


def batch_of(
    frames: np.ndarray, starts: tuple[bool, ...], keyframes: list[tuple[int, int]] | None = None
) -> SequenceBatch:
    """A batch of frames (windows, lanes, …), all of them keyframes unless others are named."""
    every = [(t, lane) for t in range(frames.shape[0]) for lane in range(frames.shape[1])]
    chosen = every if keyframes is None else keyframes
    return SequenceBatch(
        torch.from_numpy(frames),
        torch.tensor(starts),
        torch.tensor(chosen, dtype=torch.int64).view(-1, 2),
    )


def clips(num_windows: int, num_lanes: int) -> np.ndarray:
    windows = some_windows(num_windows * num_lanes)
    return windows.reshape(num_windows, num_lanes, *windows.shape[1:])


def window_by_window(path: Path, windows: np.ndarray) -> list[Found]:
    model = ExportedModel(path)
    raws = [model.step(window[None]) for window in windows]
    return [select(raw, model.description, SUPPRESSION)[0] for raw in raws]


def assert_same(found: Detections, expected: Found) -> None:
    np.testing.assert_array_equal(found.boxes_xyxy.numpy(), expected.boxes_xyxy)
    np.testing.assert_array_equal(found.scores.numpy(), expected.scores)
    np.testing.assert_array_equal(found.class_ids.numpy(), expected.class_ids)


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_each_lane_is_computed_window_by_window(path: Path, cores: int) -> None:
    frames = clips(4, 3)
    use_cores(cores)
    detector = load_detector(path)
    first, state = detector.detect(batch_of(frames[:2], (True,) * 3), (), SUPPRESSION)
    second, _ = detector.detect(batch_of(frames[2:], (False,) * 3), state, SUPPRESSION)
    found = first + second
    for lane in range(3):
        for t, expected in enumerate(window_by_window(path, frames[:, lane])):
            assert len(expected.scores) > 3
            assert_same(found[t * 3 + lane], expected)


def test_a_lane_that_starts_forgets_and_the_others_do_not(path: Path) -> None:
    frames = clips(3, 2)
    detector = load_detector(path)
    _, state = detector.detect(batch_of(frames[:2], (True, True)), (), SUPPRESSION)
    kept = [memory.clone() for memory in state]
    found, _ = detector.detect(batch_of(frames[2:], (True, False)), state, SUPPRESSION)
    assert_same(found[0], window_by_window(path, frames[2:, 0])[0])
    assert_same(found[1], window_by_window(path, frames[:, 1])[2])
    assert all(map(torch.equal, state, kept)), "a state that was handed out does not change"


def test_detections_come_in_the_order_of_the_keyframes(path: Path) -> None:
    frames, keyframes = clips(3, 2), [(2, 1), (0, 0), (1, 1)]
    detector = load_detector(path)
    found, _ = detector.detect(batch_of(frames, (True, True), keyframes), (), SUPPRESSION)
    for each, (t, lane) in zip(found, keyframes, strict=True):
        assert_same(each, window_by_window(path, frames[:, lane])[t])


def test_windows_without_keyframes_are_remembered(path: Path) -> None:
    frames = clips(2, 2)
    detector = load_detector(path)
    nothing, state = detector.detect(batch_of(frames, (True, True), []), (), SUPPRESSION)
    _, expected = detector.detect(batch_of(frames, (True, True)), (), SUPPRESSION)
    assert nothing == []
    assert all(map(torch.equal, state, expected))


@pytest.mark.parametrize("cores", [1, 2])
def test_a_detector_without_memory_has_no_state(tmp_path: Path, cores: int) -> None:
    path = write_exported(tmp_path / "frames.onnx", remembers=False)
    use_cores(cores)
    detector = load_detector(path)
    assert not detector.has_memory
    frames = clips(2, 2)
    found, state = detector.detect(batch_of(frames, (True, True), [(1, 0)]), (), SUPPRESSION)
    assert state == ()
    assert_same(found[0], window_by_window(path, frames[1:, 0])[0])


def test_a_file_for_some_lanes_needs_so_many(tmp_path: Path) -> None:
    path = write_exported(tmp_path / "two.onnx", lanes=2)
    use_cores(1)
    detector, frames = load_detector(path), clips(2, 2)
    found, _ = detector.detect(batch_of(frames, (True, True)), (), SUPPRESSION)
    free = load_detector(write_exported(tmp_path / "free.onnx"))
    expected, _ = free.detect(batch_of(frames, (True, True)), (), SUPPRESSION)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.scores, other.scores)
    with pytest.raises(ExportError, match="for 2 lanes at once, but these are 1"):
        detector.detect(batch_of(frames[:, :1], (True,)), (), SUPPRESSION)


def test_the_state_of_other_lanes_is_refused(path: Path) -> None:
    detector, frames = load_detector(path), clips(1, 2)
    _, state = detector.detect(batch_of(frames, (True, True)), (), SUPPRESSION)
    with pytest.raises(ValueError, match=r"remembers \[2\] lanes, but the batch has 1"):
        detector.detect(batch_of(frames[:, :1], (True,)), state, SUPPRESSION)


def test_frames_of_another_size_are_refused_with_the_remedy(path: Path) -> None:
    frames = some_windows(1, 64, 64)[None]
    with pytest.raises(ExportError, match=r"4 x 32 x 64 .* have 4 x 64 x 64: export"):
        load_detector(path).detect(batch_of(frames, (True,)), (), SUPPRESSION)


def test_pairs_of_query_and_class_have_no_objectness(tmp_path: Path) -> None:
    """The tables of detections then hold ones, as those of the detector itself do."""
    path = write_exported(tmp_path / "queries.onnx", describe(selection="best"))
    [found], _ = load_detector(path).detect(batch_of(clips(1, 1), (True,)), (), SUPPRESSION)
    assert len(found.scores)
    assert found.objectness is None
    assert found.class_scores is None


def test_it_cannot_learn(path: Path) -> None:
    with pytest.raises(ExportError, match="cannot learn: train the checkpoint"):
        load_detector(path).losses(batch_of(clips(1, 1), (True,)), ())


def test_a_checkpoint_is_told_by_its_content(path: Path, tmp_path: Path) -> None:
    renamed = path.rename(tmp_path / "detector.ckpt")
    found = read_checkpoint(renamed)
    assert isinstance(found.detector, ExportedDetector)
    assert found.class_names == CLASS_NAMES
    assert (found.num_classes, found.in_channels, found.downsampled_by) == (3, 4, 1)
    assert found.encoding == ENCODING
    assert found.detector.frame_size == (32, 64)


def test_a_checkpoint_of_torch_may_be_called_otherwise(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "torch.onnx", checkpoint)
    assert isinstance(read_checkpoint(tmp_path / "torch.onnx").detector, rvt.RVT)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x0a\x12\xff"])
def test_what_is_called_onnx_and_is_not_is_named_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "detector.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"detector\.onnx is (not an ONNX file|damaged)"):
        read_checkpoint(path)


def test_its_settings_and_size_are_known_without_its_weights(
    config: rvt.Config, tmp_path: Path
) -> None:
    settings = config.model_dump(mode="json", serialize_as_any=True)
    found = read_checkpoint(write_exported(tmp_path / "known.onnx", describe(detector=settings)))
    assert found.detector_config == config
    assert found.num_parameters() == sum(map(Tensor.numel, config.build(4, 3).parameters()))


def test_settings_of_another_version_do_not_keep_it_from_detecting(tmp_path: Path) -> None:
    later = describe(detector={"kind": "invented_later"})
    found = read_checkpoint(write_exported(tmp_path / "later.onnx", later))
    assert found.detector_config is None
    assert found.num_parameters() is None
    with pytest.raises(CheckpointError, match="not known to this version of the project"):
        found.known_config()
    state: State = ()
    detections, _ = found.detector.detect(batch_of(clips(1, 1), (True,)), state, SUPPRESSION)
    assert len(detections) == 1
