"""The pipeline that scores a detector on changed recordings."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.conftest import OpenSession
from tests.preflight.conftest import FITTING, Save, raw, save_checkpoint, stores

from etram_pipeline.core.mappings import merge

__all__ = ["raw", "save_checkpoint", "stores"]

FEW = {
    "changes": [{"kind": "drop", "share": 0.5}, {"kind": "resolution", "block_px": 2}],
    "windows_per_second": [10],
    "window_lengths": ["step"],
}


@pytest.mark.slow
def test_table_metrics_and_figure_are_made(
    session: OpenSession, stores: Path, save_checkpoint: Save
) -> None:
    save_checkpoint()
    parameters = merge(
        FITTING,
        {"robustness": FEW, "checkpoint": "detector.ckpt", "predict": {"device": "cpu"}},
    )
    with session("etram", **parameters) as active:
        active.run(pipeline_names=["robustness"])
    reports = stores / "08_reporting"
    table = pd.read_csv(reports / "robustness.csv")
    assert table["change"].tolist() == ["drop", "resolution", "rate_step"]
    assert table["severity"].tolist() == [50, 2, 10]
    assert set(table["frames"]) == {9}  # they are 100 ms apart, and all of them end a window
    numbers = json.loads((reports / "robustness.json").read_text())
    assert numbers["val/coco/robustness/drop/50_percent/AP"] == table["AP"][0]
    assert (reports / "figures" / "robustness.png").stat().st_size > 1000
    assert not list(stores.glob("0[1-7]*/**/*robust*"))
