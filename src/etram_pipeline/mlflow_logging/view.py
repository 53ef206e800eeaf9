"""Names of runs in MLflow, and the table that shows their headline metrics."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from etram_pipeline.core.mappings import flatten
from etram_pipeline.core.masking import mask_value

_VIEW_TAG = "mlflow.sharedViewState."
_MAX_NAME_CHARACTERS = 120
_MAX_VALUE_CHARACTERS = 30
_PATHS = ("recording", "checkpoint", "detections")
_USUAL = {"detections", "07_model_output", "annotations"}
_LOCAL_PAGE = "http://127.0.0.1:5000"


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
        "attributes.`Run Name`": 240,
        **{f"metrics.`{name}`": 40 + 7 * len(name) for name in metrics[:2]},
        "duration": 90,
        "tags.`preset`": 120,
        "params.`detector.kind`": 110,
        **{f"metrics.`{name}`": 40 + 7 * len(name) for name in metrics[2:]},
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


def view_link(uri: str, experiment_id: str, metrics: Sequence[str]) -> str:
    """Address of the table of an experiment's runs, on the page of the server at `uri`.

    Other stores than servers are shown by `mlflow ui`, at its usual address.
    """
    page = re.sub(r"//[^/]*@", "//", uri.rstrip("/")) if uri.startswith("http") else _LOCAL_PAGE
    view = f"&viewStateShareKey={view_key(metrics)}" if metrics else ""
    return f"{page}/#/experiments/{experiment_id}/runs?workflowType=machine_learning{view}"


def run_name(
    params: Mapping[str, Any], parameters: Mapping[str, object], options: Collection[str]
) -> str:
    """Name of a run: pipelines, detector, seed and the parameters of the command line.

    Args:
        params: Kedro's description of the run.
        parameters: Parameters of its pipelines by their full name.
        options: Parameters of the command line that configure the run, not a pipeline; of these,
            the name only shows the preset, the recording, the checkpoint and the detections.
    """
    asked = flatten(params.get("runtime_params") or {})
    pipelines = sorted(params.get("pipeline_names") or [])
    parts = ["" if pipelines == ["__default__"] else "+".join(pipelines)]
    if (env := params.get("env")) not in {None, "local", "base"}:
        parts.append(str(env))
    parts.append(str(asked.get("preset") or _detector(parameters)))
    parts += [_telling(asked[name]) for name in _PATHS if name in asked]
    if "train.seed" in parameters:
        parts.append(f"seed={parameters['train.seed']}")
    parts += [
        f"{key}={str(mask_value(key, value))[:_MAX_VALUE_CHARACTERS]}"
        for key, value in asked.items()
        if key.split(".")[0] not in options and key != "train.seed"
    ]
    started = str(params["run_id"])[5:16].replace("T", " ").replace(".", ":")
    return f"{' '.join(filter(None, parts))[:_MAX_NAME_CHARACTERS]} {started}".strip()


def _telling(path: object) -> str:
    """The last part of a path that is not the same in every project."""
    stem, *above = Path(str(path)).stem, *reversed(Path(str(path)).parts[:-1])
    return next((part for part in (stem, *above) if part not in _USUAL), stem)


def _detector(parameters: Mapping[str, object]) -> str:
    kind = parameters.get("detector.kind")
    width = parameters.get("detector.backbone.embed_dim")
    return "" if kind is None else f"{kind}-{width}" if width else str(kind)
