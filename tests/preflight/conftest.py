"""Three tiny recordings, what is made of them, and what is found before a run on them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from tests.conftest import OpenSession
from tests.preprocessing.recordings import preprocess, write_recordings

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.core.mappings import merge
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.preflight import collect_notices
from etram_pipeline.preflight.run import Notice, Run

Find = Callable[..., list[Notice]]
Save = Callable[..., Path]

DATA = Path("data/etram")

FITTING: dict[str, Any] = {
    "dataset": {"height": 96, "width": 128, "class_names": ["car"]},
    "labels": {"filters": [{"kind": "minimum_size", "side_px": 10}]},
    "windows": {"kind": "label_aligned"},
    "representation": {"bins": 4},
    "train": {"validation": {"protocol": "coco"}},
    "predict": {"splits": ["val"]},
    "evaluate": {"split": "val", "protocols": ["coco"]},
}
"""Parameters with which every pipeline comes to its end."""


@pytest.fixture
def raw(project: Path) -> Path:
    """A folder with `train/a`, `train/b` and `val/c`, and their labels."""
    folder = project / "data" / "01_raw" / "etram"
    write_recordings(folder)
    return folder


@pytest.fixture
def found(session: OpenSession, raw: Path) -> Find:
    """Finds what there is to tell of pipelines, with parameters that differ from the fitting."""

    def find_out(*names: str, env: str = "etram", **changes: object) -> list[Notice]:
        parameters = merge(FITTING, changes)
        if env == "recording":
            parameters["recording"] = str(raw)
        parameters = {key: value for key, value in parameters.items() if value is not None}
        return look(session, names, env, parameters)

    return find_out


def look(
    session: OpenSession, names: tuple[str, ...], env: str | None, parameters: dict[str, Any]
) -> list[Notice]:
    """What there is to tell before a run."""
    with session(env, **parameters) as active:
        context = active.load_context()
        loader = context.config_loader
        assert isinstance(loader, ConfigLoader)
        pipeline = sum((pipelines[name] for name in names), Pipeline([]))
        return collect_notices(Run(pipeline, context.catalog, loader.asked(), parameters))


@pytest.fixture
def stores(project: Path, raw: Path) -> Path:
    """What `preprocess` makes of the recordings with the fitting parameters."""
    preprocess(raw, project / "made")
    for name in ("03_primary/labelled_frames", "02_intermediate/histograms"):
        shutil.copytree(project / "made", project / DATA / name)
    return project / DATA


@pytest.fixture
def save_checkpoint(project: Path) -> Save:
    """Saves an untrained detector; by default one that fits."""

    def save(
        name: str = "detector.ckpt",
        channels: int = 8,
        class_names: tuple[str, ...] = ("car",),
        representation: dict[str, Any] | None = None,
    ) -> Path:
        config = DetectorConfig.model_validate(
            {
                "kind": "rvt",
                "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 8}},
            }
        )
        detector = config.build(channels, len(class_names))
        encoding = None
        if representation is not None:
            made = {"windows": {"kind": "label_aligned"}, "representation": representation}
            encoding = EncodingSettings.model_validate(made)
        saved = Checkpoint(detector, config, channels, class_names, encoding=encoding)
        write_checkpoint(project / name, saved)
        return project / name

    return save


@pytest.fixture
def save_detections(project: Path) -> Save:
    """Saves empty tables of detections; by default those that fit."""

    def save(
        *keys: str, class_names: tuple[str, ...] = ("car",), score_threshold: float | None = None
    ) -> Path:
        folder = project / DATA / "07_model_output" / "detections"
        tables = [(key, np.zeros(0, DETECTION_DTYPE)) for key in keys or ("val/c",)]
        DetectionsDataset(path=str(folder)).save(
            Prediction(tables, class_names, score_threshold=score_threshold)
        )
        return folder / "index.json"

    return save


def faults(findings: list[Notice]) -> list[str]:
    """Messages of what would end the run."""
    return [each.message for each in findings if each.is_fault]


def warnings(findings: list[Notice]) -> list[str]:
    """Messages of what is only told."""
    return [each.message for each in findings if not each.is_fault]
