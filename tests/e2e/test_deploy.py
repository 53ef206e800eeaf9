"""A detector of the embedded scene as a file that detects without PyTorch."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.e2e.conftest import kedro

pytestmark = pytest.mark.e2e

EXPORTED = "data/06_models/detector.onnx"
SEEN = 0.1
"""Score from which detections are compared one by one."""


@pytest.fixture(scope="module")
def detected(project: Path) -> Path:
    """A project with the detections of the checkpoint, and those of the exported file apart."""
    # By default, the detector of the checkpoint computes in bfloat16 where the hardware can.
    exactly = ("--params", "predict.precision=32")
    kedro(project, "run", "--pipelines", "preprocess,train,predict,evaluate", *exactly)
    kedro(project, "run", "--pipelines", "deploy", "--to-outputs", "exported_detector,parity")
    options = f"checkpoint={EXPORTED},results=data/of_file"
    kedro(project, "run", "--pipelines", "predict,evaluate", "--params", options)
    return project


def test_the_file_follows_its_checkpoint_over_a_hundred_windows(detected: Path) -> None:
    parity = json.loads((detected / "data/08_reporting/parity.json").read_text())

    assert parity["deploy/parity/windows"] == 100
    assert parity["deploy/parity/detections"] > 500
    assert parity["deploy/parity/kept_boxes_px"] < 0.05
    assert parity["deploy/parity/kept_scores"] < 1e-4


def test_both_have_the_same_average_precision(detected: Path) -> None:
    of_checkpoint, of_file = (
        json.loads((detected / folder / "08_reporting/metrics.json").read_text())["etram_8class"]
        for folder in ("data", "data/of_file")
    )

    assert of_file["overall"]["AP"] == pytest.approx(of_checkpoint["overall"]["AP"], abs=5e-5)


def test_both_detect_the_same_boxes(detected: Path) -> None:
    folder = detected / "data/07_model_output/detections"
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.parquet"))
    assert len(paths) == 4
    for path in paths:
        of_checkpoint = _seen(folder / path)
        of_file = _seen(detected / "data/of_file/07_model_output/detections" / path)
        assert len(of_file) == len(of_checkpoint)
        for column, tolerance in {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1, "score": 1e-4}.items():
            np.testing.assert_allclose(of_file[column], of_checkpoint[column], 0, tolerance)


def _seen(path: Path) -> pd.DataFrame:
    """Detections of one recording, in the same order whatever wrote them."""
    table = pd.read_parquet(path)
    seen = table[table["score"] >= SEEN]
    return seen.sort_values(["t", "class_id", "score"], ignore_index=True)
