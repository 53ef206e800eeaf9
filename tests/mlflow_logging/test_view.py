"""What the link of a run shows, and how runs are named."""

import json
from typing import Any

import pytest

from etram_pipeline.configuration import RUN_OPTIONS
from etram_pipeline.mlflow_logging.view import run_name, view_link, view_tag

METRICS = ["test/etram_8class/AP", "test/etram_8class/AP_50", "val/etram_8class/AP"]
PARAMETERS = {
    "evaluate.split": "test",
    "evaluate.protocols": ["etram_8class", "coco"],
    "train.validation.protocol": "etram_8class",
    "train.seed": 0,
    "detector.kind": "rvt",
    "detector.backbone.embed_dim": 16,
}


def test_the_link_leads_to_columns_of_the_headline_preset_detector_and_duration() -> None:
    tag, value = view_tag(METRICS)
    link = view_link("sqlite:///mlflow.db", "1", METRICS)
    assert link.startswith("http://127.0.0.1:5000/#/experiments/1/runs?")
    assert f"viewStateShareKey={tag.removeprefix('mlflow.sharedViewState.')}" in link
    assert len(value) < 5000  # what the oldest supported versions take
    saved = json.loads(value)
    state = json.loads(saved["state"])
    assert state.items() <= saved.items()  # as older versions read it
    columns = state["selectedColumns"]
    assert {f"metrics.`{name}`" for name in METRICS} < set(columns)
    assert {"tags.`preset`", "params.`detector.kind`", "duration"} < set(columns)
    assert columns[1] == "metrics.`test/etram_8class/AP`"


def test_the_link_to_a_server_has_no_password() -> None:
    assert view_link("https://me:hunter22@host/mlflow/", "7", []) == (
        "https://host/mlflow/#/experiments/7/runs?workflowType=machine_learning"
    )


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "rvt-16 seed=0 01-02 03:04"),
        ({"env": "etram"}, "etram rvt-16 seed=0 01-02 03:04"),
        ({"pipeline_names": ["train", "predict"]}, "predict+train rvt-16 seed=0 01-02 03:04"),
        (
            {"runtime_params": {"preset": "rvt_tiny", "train": {"max_steps": 8}, "mlflow": True}},
            "rvt_tiny seed=0 train.max_steps=8 01-02 03:04",
        ),
        ({"runtime_params": {"recording": "/data/a.b.raw"}}, "rvt-16 a.b seed=0 01-02 03:04"),
        (
            {"runtime_params": {"detections": "/x/results.json"}},
            "rvt-16 results seed=0 01-02 03:04",
        ),
        (
            {"runtime_params": {"detections": "/x/first/07_model_output/detections"}},
            "rvt-16 first seed=0 01-02 03:04",
        ),
        (
            {"runtime_params": {"mail": {"password": "hunter22"}}},
            "rvt-16 seed=0 mail.password=*** 01-02 03:04",
        ),
    ],
)
def test_a_run_is_named_by_what_differs(options: dict[str, Any], name: str) -> None:
    params = {"pipeline_names": ["__default__"], "run_id": "2026-01-02T03.04.05.678Z", **options}
    assert run_name(params, PARAMETERS, RUN_OPTIONS) == name
