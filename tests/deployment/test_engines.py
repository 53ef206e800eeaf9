"""Engines compute the same detector."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import UInt8

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.deployment.accuracy import detect_stored
from etram_pipeline.deployment.engines import EngineConfig, EngineFiles
from etram_pipeline.deployment.export import ExportedFor, export_detector
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.streaming.model import read_description
from etram_pipeline.streaming.window_model import WindowModel

HEIGHT, WIDTH, CHANNELS = 64, 128, 4
NUM_WINDOWS = 12

ENCODING = EncodingSettings.model_validate(
    {
        "windows": {"kind": "regular"},
        "representation": {"kind": "stacked_histogram", "bins": CHANNELS // 2},
    }
)

Load = Callable[..., WindowModel]


def some_windows() -> UInt8[np.ndarray, "N C H W"]:
    drawn = np.random.default_rng(0).poisson(0.3, (NUM_WINDOWS, CHANNELS, HEIGHT, WIDTH))
    return drawn.astype(np.uint8)


def recording() -> RepresentationsInMemory:
    stop_us = 50_000 * np.arange(1, NUM_WINDOWS + 1)
    return RepresentationsInMemory(some_windows(), stop_us, stop_us[:0], 2, ENCODING)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> EngineFiles:
    """A detector with a memory, whose scores are spread by chance, and its exported file."""
    folder = tmp_path_factory.mktemp("engines")
    torch.manual_seed(0)
    config = DetectorConfig.model_validate(
        {
            "kind": "rvt",
            "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 8}},
            "neck": {"kind": "pafpn", "num_bottlenecks": 1},
        }
    )
    detector = config.build(CHANNELS, 3).eval()
    with torch.no_grad():
        for name, weight in detector.named_parameters():
            if name.startswith("head.") and name.endswith("bias"):
                weight.normal_()
    names = ("pedestrian", "car", "tram")
    checkpoint = Checkpoint(detector, config, CHANNELS, names, 3, ENCODING, 2)
    write_checkpoint(folder / "detector.ckpt", checkpoint)
    exported_for = ExportedFor(HEIGHT, WIDTH, 2, ENCODING)
    export_detector(checkpoint, folder / "detector.onnx", exported_for, DeploySettings(lanes=1))
    return EngineFiles(folder / "detector.onnx", folder / "detector.ckpt", [recording()])


@pytest.fixture
def load(files: EngineFiles, tmp_path: Path) -> Load:
    """Loads an engine by its fields."""

    def made(**fields: object) -> WindowModel:
        config = EngineConfig.model_validate(fields)
        path = config.prepare(files, tmp_path)
        return config.load(path, read_description(files.exported), threads=1)

    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnxruntime", "openvino"])
def test_engines_agree_while_the_memory_is_carried_on(load: Load, kind: str) -> None:
    eager, other = load(kind="eager"), load(kind=kind)

    for window in some_windows():
        expected, found = eager.step(window[None]), other.step(window[None])
        np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy, atol=0.01)
        np.testing.assert_allclose(found.objectness, expected.objectness, atol=1e-4)
        np.testing.assert_allclose(found.class_scores, expected.class_scores, atol=1e-4)
    for after, before in zip(other.state, eager.state, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "eager"},
        {"kind": "onnxruntime"},
        {"kind": "openvino"},
        {"kind": "int8", "windows": 4},
        {"kind": "int8", "method": "dynamic"},
    ],
    ids=str,
)
def test_every_engine_remembers_until_it_is_reset(load: Load, fields: dict[str, object]) -> None:
    model = load(**fields)
    first, second, *_ = some_windows()

    alone = model.step(first[None])
    after = model.step(second[None])
    model.reset()
    again = model.step(first[None])
    model.reset()
    fresh = model.step(second[None])

    np.testing.assert_array_equal(again.objectness, alone.objectness)
    assert np.abs(after.objectness - fresh.objectness).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({"kind": "int8", "windows": 4}, 0.1),
        ({"kind": "int8", "method": "dynamic"}, 0.1),
        ({"kind": "eager", "precision": "bf16-mixed"}, 0.1),
    ],
    ids=str,
)
def test_engines_that_round_numbers_stay_close(
    load: Load, fields: dict[str, object], most: float
) -> None:
    exact, rounding = load(kind="onnxruntime"), load(**fields)

    difference = [
        np.abs(rounding.step(window[None]).objectness - exact.step(window[None]).objectness).max()
        for window in some_windows()
    ]

    assert 0 < max(difference) < most


@pytest.mark.slow
def test_detections_of_a_recording_are_those_of_each_window(load: Load) -> None:
    table = detect_stored(load(kind="onnxruntime"), recording())

    assert len(table) > 0
    assert set(table["t"].tolist()) <= set(recording().stop_us.tolist())
    assert table["x"].max() <= 2 * WIDTH
    np.testing.assert_array_equal(table, detect_stored(load(kind="onnxruntime"), recording()))


def test_engines_are_named_by_what_differs_from_their_defaults() -> None:
    names = [
        EngineConfig.model_validate(fields).name
        for fields in (
            {"kind": "int8"},
            {"kind": "int8", "method": "dynamic"},
            {"kind": "eager", "precision": "bf16-mixed"},
        )
    ]
    assert names == ["int8", "int8_dynamic", "eager_bf16-mixed"]


@pytest.mark.slow
def test_ranges_are_not_found_without_recordings_of_the_size(
    files: EngineFiles, tmp_path: Path
) -> None:
    alone = EngineFiles(files.exported, files.checkpoint)
    with pytest.raises(SettingsError, match="no recording has windows of 4 x 64 x 128"):
        EngineConfig.model_validate({"kind": "int8"}).prepare(alone, tmp_path)


def test_rounding_without_its_packages_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    fault = EngineConfig.model_validate({"kind": "int8"}).find_fault()
    assert "needs onnx, not installed here: pip install -e '.[deploy]'" in fault
