"""Exported detectors in ONNX Runtime."""

import base64
import math
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tests.exported import CELL_PX, KEPT, describe, some_windows, write_checked, write_exported

from etram_pipeline.core.errors import ExportError
from etram_pipeline.streaming.agreement import Tolerance
from etram_pipeline.streaming.description import TestVector
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.model_file import write_model_file


@pytest.fixture
def model(tmp_path: Path) -> ExportedModel:
    return ExportedModel(write_exported(tmp_path / "detector.onnx"))


def test_what_was_seen_is_remembered_until_it_is_reset(model: ExportedModel) -> None:
    window = some_windows(1)
    at_first = model.state
    assert at_first == ()
    first = model.step(window)
    second = model.step(window)
    [memory] = model.state
    activity = window.sum(1, dtype=np.float32).reshape(1, 4, CELL_PX, 8, CELL_PX).mean((2, 4))
    np.testing.assert_allclose(memory[:, 0], activity * (1 + KEPT), rtol=1e-5)
    assert (second.objectness >= first.objectness).all()
    assert (second.objectness > first.objectness).any()
    model.reset()
    np.testing.assert_array_equal(model.step(window).objectness, first.objectness)


def test_one_lane_can_start_a_recording_while_another_goes_on(model: ExportedModel) -> None:
    both = some_windows(2)
    first = model.step(both)
    [before] = model.state
    model.reset(np.array([False, True]))
    [after] = model.state
    assert not after[1].any()
    np.testing.assert_array_equal(after[0], before[0])
    assert before[1].any(), "the former memory is left as it was"
    second = model.step(both)
    np.testing.assert_array_equal(second.objectness[1], first.objectness[1])
    assert (second.objectness[0] != first.objectness[0]).any()


def test_a_state_can_be_put_back(model: ExportedModel) -> None:
    windows = some_windows(2)
    model.step(windows[:1])
    kept = model.state
    expected = model.step(windows[1:])
    model.step(windows[:1])
    model.state = kept
    np.testing.assert_array_equal(model.step(windows[1:]).objectness, expected.objectness)


def test_lanes_do_not_see_each_other(model: ExportedModel, tmp_path: Path) -> None:
    windows = some_windows(3)
    together = model.step(windows)
    for lane in range(3):
        alone = ExportedModel(tmp_path / "detector.onnx").step(windows[lane : lane + 1])
        np.testing.assert_array_equal(alone.boxes_xyxy[0], together.boxes_xyxy[lane])
        np.testing.assert_array_equal(alone.objectness[0], together.objectness[lane])
        np.testing.assert_array_equal(alone.class_scores[0], together.class_scores[lane])


def test_another_number_of_lanes_needs_a_reset(model: ExportedModel) -> None:
    model.step(some_windows(1))
    with pytest.raises(ExportError, match=r"remembers \[1\] lanes, but 2 are given.*reset"):
        model.step(some_windows(2))
    model.reset()
    model.step(some_windows(2))


def test_frames_of_another_size_are_refused(model: ExportedModel) -> None:
    with pytest.raises(ExportError, match=r"frames of 4 x 32 x 64 .* have 4 x 32 x 128"):
        model.step(some_windows(1, width=128))
    with pytest.raises(ExportError, match=r"frames of 4 x 32 x 64 .* have 2 x 32 x 64"):
        model.step(some_windows(1)[:, :2])
    with pytest.raises(ExportError, match=r"frames of uint8, but these are of int8"):
        model.step(some_windows(1).astype(np.int8))


def test_a_file_may_be_for_some_lanes_only(tmp_path: Path) -> None:
    model = ExportedModel(write_exported(tmp_path / "two.onnx", lanes=2))
    assert model.num_lanes == 2
    model.step(some_windows(2))
    model.reset()
    with pytest.raises(ExportError, match=r"for 2 lanes at once, but these are 1"):
        model.step(some_windows(1))


def test_one_thread_starts_no_other(tmp_path: Path) -> None:
    path = write_exported(tmp_path / "detector.onnx")
    ExportedModel(path).step(some_windows(1))  # what the library starts once, it starts here
    before = len(list(Path("/proc/self/task").iterdir()))
    model = ExportedModel(path, threads=1)
    model.step(some_windows(1))
    assert len(list(Path("/proc/self/task").iterdir())) <= before


def test_a_device_can_check_what_it_computes(tmp_path: Path) -> None:
    model = ExportedModel(write_checked(tmp_path / "detector.onnx", some_windows(3)))
    model.step(some_windows(1))
    before = model.state
    assert model.check().scores < 1e-6
    assert model.state is before


def test_a_device_that_computes_something_else_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "detector.onnx"
    write_checked(path, some_windows(3))
    model = ExportedModel(path)
    vector = model.description.test_vector
    assert vector is not None
    weaker = tuple(tuple(score - 0.01 for score in scores) for scores in vector.scores)
    wrong = vector.model_copy(update={"scores": weaker})
    write_exported(path, model.description.model_copy(update={"test_vector": wrong}))
    with pytest.raises(ExportError, match=r"window 1 of 3, \d+ detections .* 0 px and by 0.01 in"):
        ExportedModel(path).check()
    worst = ExportedModel(path).check(Tolerance(scores=0.011))
    assert worst.scores == pytest.approx(0.01, abs=1e-5)
    assert worst.num_unequal == 0


def test_without_a_test_vector_nothing_can_be_checked(model: ExportedModel) -> None:
    with pytest.raises(ExportError, match="no windows to check it by"):
        model.check()


@pytest.mark.parametrize(
    "frames",
    [
        "no base64",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"too short")).decode(),
        base64.b64encode(zlib.compress(bytes(10**8))).decode(),
        base64.b64encode(zlib.compress(bytes(4 * 32 * 64))[:-1]).decode(),
    ],
    ids=["no base64", "no zlib", "too short", "too long", "cut off"],
)
def test_a_damaged_test_vector_is_refused_without_unpacking_all_of_it(
    tmp_path: Path, frames: str
) -> None:
    vector = TestVector(
        frames=frames, num_windows=1, boxes_xyxy=((),), scores=((),), class_ids=((),)
    )
    path = write_exported(tmp_path / "detector.onnx", describe(test_vector=vector))
    model = ExportedModel(path)
    tracemalloc.start()
    try:
        with pytest.raises(ExportError, match=r"the test vector of .* is damaged"):
            model.check()
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "changes",
    [{"num_windows": 2}, {"scores": ((),)}, {"boxes_xyxy": (((0.0, 0.0, math.nan, 8.0),),)}],
    ids=["windows", "scores", "no number"],
)
def test_a_test_vector_has_finite_boxes_scores_and_classes_of_each_window(
    changes: dict[str, object],
) -> None:
    right = {
        "frames": "",
        "num_windows": 1,
        "boxes_xyxy": (((0.0, 0.0, 8.0, 8.0),),),
        "scores": ((0.5,),),
        "class_ids": ((0,),),
    }
    TestVector.model_validate(right)
    with pytest.raises(ValidationError):
        TestVector.model_validate(right | changes)


def test_a_graph_of_other_frames_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write_exported(tmp_path / "detector.onnx")
    write_model_file(path, path.read_bytes(), describe(64, 64))
    with pytest.raises(ExportError, match=r"frames of 4 x 32 x 64 .* not what it says"):
        ExportedModel(path)


def test_the_package_is_named_where_the_runtime_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_exported(tmp_path / "detector.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"not installed: pip install onnxruntime$"):
        ExportedModel(path)


def test_a_graph_that_is_no_detector_is_refused(tmp_path: Path) -> None:
    path = write_exported(tmp_path / "detector.onnx")
    path.write_bytes(_without_checksum(path.read_bytes()).replace(b"memory_0", b"memory_7"))
    with pytest.raises(ExportError, match=r"inputs frames, memory_7 and the outputs"):
        ExportedModel(path)


def test_a_graph_that_the_runtime_cannot_run_is_refused_in_one_line(tmp_path: Path) -> None:
    path = write_exported(tmp_path / "detector.onnx")
    path.write_bytes(_without_checksum(path.read_bytes()).replace(b"Tanh", b"Tahn"))
    with pytest.raises(ExportError, match="cannot be run by onnxruntime") as caught:
        ExportedModel(path)
    assert "\n" not in str(caught.value)


def test_frames_of_any_size_can_be_described(tmp_path: Path) -> None:
    model = ExportedModel(write_exported(tmp_path / "large.onnx", describe(64, 128)))
    assert model.memory_shapes == ((1, 8, 16),)
    assert model.step(some_windows(1, 64, 128)).boxes_xyxy.shape == (1, 128, 4)


def _without_checksum(content: bytes) -> bytes:
    return content.replace(b"etram_sha256", b"other_sha256")
