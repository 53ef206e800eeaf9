"""What MLflow's page shows of the runs: their names, and a table of the headline metrics."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etram_pipeline.configuration import RUN_OPTIONS
from etram_pipeline.core.masking import mask_value

_VIEW_TAG = "mlflow.sharedViewState."
_MAX_NAME_CHARACTERS = 120
_LOCAL_PAGE = "http://127.0.0.1:5000"  # where `mlflow ui` serves by default


def view_key(metrics: Sequence[str]) -> str:
    """Name of the view that shows these metrics, as part of a link."""
    return re.sub(r"[^A-Za-z0-9]+", "-", metrics[0]).strip("-")


def view_tag(metrics: Sequence[str]) -> tuple[str, str]:
    """Name and value of the experiment's tag that keeps the view.

    The tag is that of "Save view" on the page of an experiment.

    Args:
        metrics: Metrics to show as columns, the most important first.
    """
    widths_px = {
        "attributes.`Run Name`": 260,
        **{f"metrics.`{name}`": 50 + 7 * len(name) for name in metrics},
        "duration": 90,
        "tags.`preset`": 120,
        "params.`detector.kind`": 110,
        "params.`train.seed`": 90,
    }
    state = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(widths_px),
        "columnOrder": list(widths_px),
        "columnWidths": widths_px,
        "runsHiddenMode": "SHOW_ALL",
    }
    saved = {"name": f"headline: {metrics[0]}", "createdAt": 0, "state": json.dumps(state)}
    # Versions of MLflow before named views read the state itself.
    return _VIEW_TAG + view_key(metrics), json.dumps({**state, **saved})


def view_link(page: str, experiment_id: str, metrics: Sequence[str]) -> str:
    """Address of the table of an experiment's runs on the page of an MLflow server."""
    query = f"workflowType=machine_learning&viewStateShareKey={view_key(metrics)}"
    return f"{page}/#/experiments/{experiment_id}/runs?{query}"
