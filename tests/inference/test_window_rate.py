"""Windows that are cut otherwise than in training."""

import logging

import numpy as np
import pytest
import torch

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.core.errors import StoreError
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.predict import predict_recording, predict_recordings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.inference.window_rate import match_window_rate
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig

SETTINGS = PredictSettings(
    windows="all",
    device="cpu",
    precision="32",
    workers=0,
    suppression=SuppressionSettings(score_threshold=0, iou_threshold=1.0),
)


def build(cell: str) -> Detector:
    torch.manual_seed(0)
    config = {
        "kind": "rvt",
        "cell": {"kind": cell},
        "backbone": {
            "kind": "maxvit",
            "embed_dim": 8,
            "dim_multipliers": [1],
            "num_blocks": [1],
            "partition_split": 1,
            "attention": {"dim_head": 8},
        },
        "neck_stages": [1],
    }
    detector = DetectorConfig.model_validate(config).build(2, 2).eval()
    with torch.no_grad():
        for name, weight in detector.named_parameters():
            if name.endswith("to_output"):
                weight.mul_(100)  # else untrained cells hardly let their memory show
            if name.startswith("head.") and weight.ndim > 1:
                weight.mul_(5)
    return detector


def cut(
    step_ms: int, duration_ms: int | None = 50, num_events: int | None = None
) -> EncodingSettings:
    windows = {
        "kind": "regular",
        "step_ms": step_ms,
        "duration_ms": duration_ms,
        "num_events": num_events,
    }
    return EncodingSettings.model_validate(
        {"windows": windows, "representation": {"kind": "stacked_histogram"}}
    )


def still(num_windows: int, step_ms: int) -> RepresentationsInMemory:
    """The same image at every window."""
    image = np.random.default_rng(0).integers(0, 10, (1, 2, 32, 32), np.uint8)
    stop_us = 1000 * step_ms * np.arange(1, num_windows + 1)
    return RepresentationsInMemory(
        image.repeat(num_windows, 0), stop_us, np.empty(0, np.int64), encoding=cut(step_ms)
    )


def scores(detector: Detector, step_ms: int, num_windows: int) -> np.ndarray:
    """The five best of each window."""
    frames = still(num_windows, step_ms)
    table = predict_recording(detector, frames, SETTINGS, trained_on=cut(50))
    return np.stack([np.sort(table["score"][table["t"] == stop])[-5:] for stop in frames.stop_us])


def test_a_state_space_detector_sees_alike_at_another_rate() -> None:
    # With one stage, what the cell sees is constant too, so that it can be exact.
    detector = build("s5")
    usual = scores(detector, step_ms=50, num_windows=4)
    denser = scores(detector, step_ms=25, num_windows=8)
    sparser = scores(detector, step_ms=100, num_windows=2)
    np.testing.assert_allclose(denser[1::2], usual, atol=1e-5)
    np.testing.assert_allclose(sparser, usual[1::2], atol=1e-5)
    assert abs(usual[1:] - usual[:-1]).max() > 1e-3


def test_without_knowledge_of_training_the_rate_is_left_as_it_was_set() -> None:
    detector = build("s5")
    expected = scores(detector, step_ms=25, num_windows=4)
    table = predict_recording(detector, still(4, 25), SETTINGS)
    last = np.sort(table["score"][table["t"] == 100_000])
    np.testing.assert_array_equal(last[-5:], expected[-1])


def test_the_factor_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        match_window_rate(build("s5"), cut(50), [cut(50), None])
        assert not caplog.messages
        match_window_rate(build("s5"), cut(50), [cut(25, 25), None])
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "every 25 ms, but every 50 ms in training" in caplog.text
    assert "is multiplied by 0.5" in caplog.text


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (cut(25), "windows of 50 ms every 25 ms"),
        (cut(50, 20), "windows of 20 ms every 50 ms"),
        (cut(50, None, 900), "windows of 900 events every 50 ms"),
    ],
)
def test_a_detector_that_counts_windows_is_warned_of_others(
    caplog: pytest.LogCaptureFixture, made: EncodingSettings, told: str
) -> None:
    detector = build("conv_lstm")
    match_window_rate(detector, cut(50), [cut(50), None])
    match_window_rate(detector, None, [made])
    assert not caplog.messages
    match_window_rate(detector, cut(50), [cut(50), made, made])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"trained on windows of 50 ms every 50 ms, but detects in {told}" in caplog.text


def test_recordings_of_several_rates_are_refused() -> None:
    frames = {"a": still(3, 50), "b": still(3, 25)}
    with pytest.raises(StoreError, match=r"differ .* \[25, 50\] ms"):
        list(predict_recordings(build("s5"), frames, SETTINGS, trained_on=cut(50)))
    assert len(dict(predict_recordings(build("conv_lstm"), frames, SETTINGS, cut(50)))) == 2
