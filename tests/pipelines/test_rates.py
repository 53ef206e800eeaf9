"""The pipeline that scores a detector by rate of windows and by latency."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.conftest import OpenSession
from tests.preflight.conftest import FITTING, Save, raw, save_checkpoint, stores

from etram_pipeline.core.mappings import merge
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.stores.label_store import LabelStore

__all__ = ["raw", "save_checkpoint", "stores"]

RATES = {"windows_per_second": [10, 20], "least_frames": 5, "latencies_ms": [0, 40]}


def run(session: OpenSession, **changes: object) -> None:
    parameters = merge(FITTING, {"rates": RATES, "checkpoint": "detector.ckpt"} | changes)
    with session("etram", **parameters) as active:
        active.run(pipeline_names=["rates"])


def save_tables(folder: Path, *, shift_us: int) -> None:
    labels = LabelStore(folder / "03_primary" / "labelled_frames")["val/c"].labels
    table = np.zeros(2 * len(labels), DETECTION_DTYPE)
    for name in labels.dtype.names or ():
        table[name] = np.tile(labels[name], 2)
    table["t"][len(labels) :] -= shift_us
    table["score"] = table["class_score"] = table["class_confidence"] = 0.5
    dataset = DetectionsDataset(path=str(folder / "07_model_output" / "detections"))
    dataset.save(Prediction([("val/c", table)], ("car",)))


@pytest.mark.slow
def test_tables_metrics_and_figures_are_made(
    session: OpenSession, stores: Path, save_checkpoint: Save
) -> None:
    save_checkpoint()
    save_tables(stores, shift_us=50_000)
    run(session, predict={"device": "cpu"})
    reports = stores / "08_reporting"
    rates = pd.read_csv(reports / "rates.csv")
    assert rates["window_length"].tolist() == ["step", "step", "trained", "trained"]
    assert rates["windows_per_second"].tolist() == [10, 20, 10, 20]
    assert rates["window_ms"].tolist() == [100, 50, 50, 50]
    assert set(rates["frames"]) == {9}
    numbers = json.loads((reports / "rates.json").read_text())
    assert numbers["rates/step/10_per_second/AP"] == rates["AP"][0]
    latencies = pd.read_csv(reports / "latencies.csv")
    assert latencies["AP"].tolist() == pytest.approx([1, 1])  # boxes stay where they are
    assert latencies["mean_age_ms"].tolist() == [0, 50]
    for name in ("rate_scores", "latency_scores"):
        assert (reports / "figures" / f"{name}.png").stat().st_size > 1000
