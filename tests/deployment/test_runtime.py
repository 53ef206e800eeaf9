"""The program that computes a detector: PyTorch, ONNX Runtime, or whichever is faster."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.real_export import CONFIG, RealExport, recording, settings, small_detector

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.core.errors import ExportError, ParityError, SettingsError
from etram_pipeline.deployment import runtime
from etram_pipeline.deployment.runtime import choose_detector
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.predict import num_windows_read, predict_recordings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.exported import ExportedDetector
from etram_pipeline.streaming.agreement import Tolerance, compare_detections
from etram_pipeline.streaming.selection import Found, as_found

slow = pytest.mark.slow  # the first test of a process that exports takes half a minute


def refuse_to_export(*_: object, **__: object) -> None:
    raise AssertionError("nothing is to be exported here")


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "export_detector", refuse_to_export)


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the milliseconds that a window takes by each program."""

    def set_times(*, torch_ms: float, onnx_ms: float) -> None:
        def window_s(detector: Detector, *_: object) -> float:
            return (onnx_ms if isinstance(detector, ExportedDetector) else torch_ms) / 1e3

        monkeypatch.setattr(runtime, "_window_s", window_s)

    return set_times


@slow
@pytest.mark.parametrize(
    "changes", [{}, {"lanes": 1}, {"lanes": 2, "clip_length": 3}, {"windows": "labelled"}]
)
def test_boxes_are_those_of_torch(real_export: RealExport, changes: dict[str, object]) -> None:
    trained, recordings = real_export.trained, real_export.recordings
    detector = read_checkpoint(real_export.path).detector
    expected = dict(predict_recordings(trained.detector, recordings, settings(**changes)))
    found = dict(predict_recordings(detector, recordings, settings(**changes)))
    assert sum(map(len, expected.values())) > 50
    for key, table in expected.items():
        assert len(found[key]) == len(table)
        for t in np.unique(table["t"]):
            one, other = (_in_window(each[key], t) for each in (found, expected))
            difference = compare_detections(one, other, Tolerance(), settings().suppression)
            assert not difference.num_unequal, (key, t, str(difference))


def _in_window(table: DetectionTable, t: int) -> Found:
    """Detections of one window; of almost equal scores, either may come first."""
    rows = table[table["t"] == t]
    corners = [rows["x"], rows["y"], rows["x"] + rows["w"], rows["y"] + rows["h"]]
    return as_found(
        np.stack(corners, 1).tolist(), rows["class_id"].tolist(), rows["score"].tolist()
    )


@slow
@pytest.mark.usefixtures("no_export")
def test_a_file_is_exported_once(real_export: RealExport) -> None:
    again = small_detector()
    detector, made_for = choose_detector(
        again, real_export.recordings, settings(lanes=1), real_export.folder
    )
    assert isinstance(detector, ExportedDetector)
    assert made_for == again.encoding
    assert list(real_export.folder.iterdir()) == [real_export.path]


@slow
def test_a_damaged_file_is_exported_anew(
    real_export: RealExport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / real_export.path.name
    kept.write_bytes(real_export.path.read_bytes()[:-5000])
    exported = []

    def export(_trained: Checkpoint, path: Path, *_: object) -> None:
        exported.append(path)
        shutil.copyfile(real_export.path, path)

    monkeypatch.setattr(runtime, "export_detector", export)
    detector, _ = choose_detector(real_export.trained, real_export.recordings, settings(), tmp_path)
    assert isinstance(detector, ExportedDetector)
    assert len(exported) == 1
    assert kept.read_bytes() == real_export.path.read_bytes()
    assert list(tmp_path.iterdir()) == [kept]


@slow
def test_a_file_that_detects_something_else_is_not_kept(
    real_export: RealExport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(_trained: Checkpoint, path: Path, *_: object) -> None:
        shutil.copyfile(real_export.path, path)

    monkeypatch.setattr(runtime, "export_detector", export)
    other = small_detector()
    for weight in other.detector.parameters():
        weight.data.mul_(1.01)
    with pytest.raises(ParityError, match="does not compute what the detector"):
        choose_detector(other, real_export.recordings, settings(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(_trained: Checkpoint, path: Path, *_: object) -> None:
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "export_detector", export)
    with pytest.raises(KeyboardInterrupt):
        choose_detector(small_detector(), {"test/r": recording(0)}, settings(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@slow
@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize(("onnx_ms", "chosen"), [(9.0, "ONNX Runtime"), (11.0, "PyTorch")])
def test_the_faster_one_is_chosen_and_what_was_measured_is_logged(
    real_export: RealExport,
    takes: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    onnx_ms: float,
    chosen: str,
) -> None:
    takes(torch_ms=10.0, onnx_ms=onnx_ms)
    with caplog.at_level(logging.INFO):
        detector, _ = choose_detector(
            real_export.trained,
            real_export.recordings,
            settings(runtime="auto"),
            real_export.folder,
        )
    assert isinstance(detector, ExportedDetector) == (chosen == "ONNX Runtime")
    assert f"{chosen} is used; a window takes 10.0 ms by PyTorch (precision 32)" in caplog.text
    assert f"{onnx_ms:.1f} ms by ONNX Runtime (precision 32)" in caplog.text


@slow
@pytest.mark.usefixtures("no_export")
def test_both_are_measured_as_the_run_will_compute(real_export: RealExport) -> None:
    trained = real_export.trained
    batch = runtime._first_clips(real_export.recordings, settings(lanes=2))
    assert batch.frames.shape[:2] == (4, 2)
    exported = read_checkpoint(real_export.path).detector
    for detector in (trained.detector, exported):
        assert 0 < runtime._window_s(detector, batch, settings()) < 10


@pytest.mark.usefixtures("no_export")
def test_a_short_run_is_not_worth_an_export(
    tmp_path: Path, takes: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    takes(torch_ms=100.0, onnx_ms=1.0)
    trained, recordings = small_detector(), {"test/r": recording(0)}
    with caplog.at_level(logging.INFO):
        detector, _ = choose_detector(trained, recordings, settings(runtime="auto"), tmp_path)
    assert detector is trained.detector
    assert "takes 100.0 ms a window" in caplog.text
    assert "would save at most 1 s in 12 windows" in caplog.text


def test_a_long_run_is(
    tmp_path: Path, takes: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that fails is no reason to fail: the run goes on with PyTorch."""
    takes(torch_ms=10_000.0, onnx_ms=1.0)
    asked = []

    def export(*_: object) -> None:
        asked.append(1)
        raise ExportError("the exporter gave up")

    monkeypatch.setattr(runtime, "export_detector", export)
    trained, recordings = small_detector(), {"test/r": recording(0)}
    detector, _ = choose_detector(trained, recordings, settings(runtime="auto"), tmp_path)
    assert asked
    assert detector is trained.detector
    with pytest.raises(ExportError, match="the exporter gave up"):
        choose_detector(trained, recordings, settings(), tmp_path)


@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize("changes", [{}, {"runtime": "auto", "augmentation": {"mirror": True}}])
def test_torch_computes_where_nothing_else_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    missing = "onnxruntime is not installed"
    monkeypatch.setattr(runtime, "find_missing_packages", lambda _: missing)
    trained, recordings = small_detector(), {"test/r": recording(0)}
    auto = settings(**({"runtime": "auto"} | changes))
    assert choose_detector(trained, recordings, auto, tmp_path)[0] is trained.detector
    with pytest.raises(ExportError, match=missing):
        choose_detector(trained, recordings, settings(), tmp_path)


@pytest.mark.usefixtures("no_export")
def test_a_family_that_cannot_be_exported_stays_with_torch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proposals = DetectorConfig.model_validate({"kind": "faster_rcnn"})
    trained = Checkpoint(small_detector().detector, proposals, 4, ("a", "b", "c"), 3)
    with caplog.at_level(logging.INFO):
        detector, _ = choose_detector(
            trained, {"test/r": recording(0)}, settings(runtime="auto"), tmp_path
        )
    assert detector is trained.detector
    assert "PyTorch is used, because a detector of kind faster_rcnn cannot be exported" in (
        caplog.text
    )


@pytest.mark.usefixtures("no_export")
def test_torch_is_the_default_and_needs_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_window_s", refuse_to_export)
    assert PredictSettings().runtime == "torch"
    assert "runtime" not in PredictSettings().model_dump()
    trained, recordings = small_detector(), {"test/r": recording(0)}
    plain = settings(runtime="torch")
    assert choose_detector(trained, recordings, plain, tmp_path)[0] is trained.detector
    empty = {"test/r": recording(0, num_windows=0)}
    assert choose_detector(trained, empty, settings(), tmp_path)[0] is trained.detector


def test_a_gpu_and_onnx_runtime_contradict_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "device_of", lambda _: torch.device("cuda"))
    trained, recordings = small_detector(), {"test/r": recording(0)}
    with pytest.raises(SettingsError, match=r"predict\.device is cuda:1: set one of them to auto"):
        choose_detector(trained, recordings, settings(device="cuda:1"), tmp_path)
    auto = settings(runtime="auto", device="auto")
    assert choose_detector(trained, recordings, auto, tmp_path)[0] is trained.detector


def test_windows_that_nobody_describes_cannot_be_exported_for(tmp_path: Path) -> None:
    known = recording(0)
    unknown = RepresentationsInMemory(known.images, known.stop_us, known.frame_windows)
    about = small_detector()
    trained = Checkpoint(about.detector, CONFIG, 4, about.class_names, 3)
    with pytest.raises(ExportError, match=r"predict\.runtime=torch"):
        choose_detector(trained, {"test/r": unknown}, settings(), tmp_path)


def test_files_are_told_apart_by_all_they_depend_on(tmp_path: Path) -> None:
    trained, here = small_detector(), {"test/r": recording(0)}
    place = runtime._place(trained, here, tmp_path)
    assert runtime._place(small_detector(), here, tmp_path) == place
    other = small_detector()
    next(other.detector.parameters()).data.add_(1)
    assert runtime._place(other, here, tmp_path) != place
    windows = {"kind": "regular", "duration_ms": 50, "step_ms": 25}
    images = here["test/r"]
    assert images.encoding is not None
    faster = EncodingSettings.model_validate(images.encoding.model_dump() | {"windows": windows})
    often = RepresentationsInMemory(
        images.images, images.stop_us, images.frame_windows, encoding=faster
    )
    assert runtime._place(trained, {"test/r": often}, tmp_path) != place


def test_windows_are_counted_as_they_will_be_read() -> None:
    recordings = {"a": recording(0), "b": recording(1, num_windows=5)}
    assert num_windows_read(recordings, settings(windows="all")) == 17
    labelled = settings(windows="labelled", clip_length=3)
    assert num_windows_read(recordings, labelled) == (12 - 1) + (5 - 1)
