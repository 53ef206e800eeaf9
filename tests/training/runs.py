"""Stopping trainings, changing their settings and reading what they left."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.resume import PROCESSES_KEY
from etram_pipeline.training.settings import TrainSettings

NANO = DetectorConfig.model_validate(
    {
        "kind": "rvt",
        "backbone": {
            "kind": "maxvit",
            "embed_dim": 8,
            "partition_split": 1,
            "attention": {"dim_head": 8},
        },
    }
)
"""A recurrent vision transformer of the smallest size that fits 32 px."""

RTDETR = DetectorConfig.model_validate(
    {
        "kind": "rtdetr",
        "width": 8,
        "hidden_size": 16,
        "decoder_layers": 2,
        "num_queries": 10,
        "memory": {"cell": {"kind": "conv_lstm"}, "initial_weight": 1.0},
    }
)
"""A small RT-DETR with memory."""


class At(Logger):
    """Does something when a metric of a step is logged."""

    def __init__(self, step: int, action: Callable[[], object], metric: str = "train/loss") -> None:
        super().__init__()
        self._step, self._action, self._metric = step, action, metric

    @property
    @override
    def name(self) -> str:
        return "at"

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == self._step - 1 and self._metric in metrics:
            self._action()

    @override
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...


class PowerCutError(RuntimeError):
    """An error from anywhere."""


def fail() -> None:
    raise PowerCutError("power cut")


def interrupt() -> None:
    raise KeyboardInterrupt


def changed(settings: TrainSettings, **changes: object) -> TrainSettings:
    return TrainSettings.model_validate(settings.model_dump(serialize_as_any=True) | changes)


def changed_validation(settings: TrainSettings, **changes: object) -> TrainSettings:
    return changed(settings, validation=settings.validation.model_dump() | changes)


def curve(folder: Path, name: str = "train/loss") -> list[tuple[int, float]]:
    """Step and value of one metric."""
    rows = read_history(folder / HISTORY)
    return [(step, value) for step, metric, value in rows if metric == name]


def weights(path: Path, key: str = "state_dict") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(path)[key]
    return found


def differences(found: object, expected: object, where: str = "") -> list[str]:
    """Where two checkpoints differ in a single bit."""
    if isinstance(expected, Tensor):
        same = (
            isinstance(found, Tensor)
            and found.dtype == expected.dtype
            and found.shape == expected.shape
            and found.numpy().tobytes() == expected.numpy().tobytes()
        )
        return [] if same else [where]
    pairs: list[tuple[object, object, object]]
    if isinstance(expected, dict) and isinstance(found, dict) and list(found) == list(expected):
        pairs = [(key, found[key], expected[key]) for key in expected]
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(found) != len(expected):
            return [f"{where}: {len(found)}, not {len(expected)}"]
        pairs = [(at, found[at], expected[at]) for at in range(len(expected))]
    else:
        return [] if found == expected else [f"{where}: {found} != {expected}"]
    return [text for key, one, other in pairs for text in differences(one, other, f"{where}/{key}")]


def assert_same_training(found: Path, expected: Path) -> None:
    """Weights, average, optimizer, memory, random numbers, callbacks and curves are the same."""
    assert (found / HISTORY).read_text() == (expected / HISTORY).read_text()
    for name in (BEST, LAST):
        contents = [torch.load(folder / name, weights_only=True) for folder in (found, expected)]
        for content in contents:
            del content["loops"]  # counts restarts
            for process in content[PROCESSES_KEY]["each"]:
                del process["random"]["python"]  # the type checks of tests draw from it
        assert differences(*contents) == []
