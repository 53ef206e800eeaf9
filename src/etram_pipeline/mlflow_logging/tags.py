"""Tags of a run: its command, its user, the version of its code and the machine."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from etram_pipeline.core.counts import counted
from etram_pipeline.core.machine import graphics_cards, num_cores
from etram_pipeline.core.provenance import code_version, command_line
from etram_pipeline.mlflow_logging.run_entries import SESSION


def run_tags(params: Mapping[str, Any], project: Path, num_nodes: int) -> dict[str, str]:
    """Tags by name; addresses in them may hold passwords.

    Args:
        params: Kedro's description of the run.
        project: Folder whose version is recorded.
        num_nodes: Nodes that will run.
    """
    tags = {
        "kedro.pipelines": "+".join(sorted(params["pipeline_names"] or ["__default__"])),
        "kedro.env": str(params.get("env") or "local"),
        "kedro.command": command_line(),
        SESSION: params["run_id"],
        "kedro.nodes": str(num_nodes),
        **_git_tags(project),
        **_environment_tags(),
    }
    if preset := (params.get("runtime_params") or {}).get("preset"):
        tags["preset"] = str(preset)
    return {**_context_tags(), **tags}


def _context_tags() -> dict[str, str]:
    """Tags that MLflow sets itself, such as user and source."""
    from mlflow.tracking.context.abstract_context import RunContextProvider
    from mlflow.tracking.context.git_context import GitRunContext
    from mlflow.tracking.context.registry import resolve_tags

    ignored: list[type] = [GitRunContext]  # imports a library that warns where there is no git
    if "IPython" not in sys.modules and "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        # These import IPython, which takes a third of a second, to see that there is no notebook.
        ignored += [
            each
            for each in RunContextProvider.__subclasses__()
            if each.__module__.startswith("mlflow.") and _is_of_notebooks(each.__name__)
        ]
    tags: dict[str, str] = resolve_tags(ignore=ignored)  # type: ignore[arg-type]  # takes classes
    return tags


def _environment_tags() -> dict[str, str]:
    """Versions and devices that results may depend on."""
    graphics = {"environment.gpu": ", ".join(found)} if (found := graphics_cards()) else {}
    return {
        "environment.python": platform.python_version(),
        "environment.torch": version("torch"),
        "environment.cpu": f"{counted(num_cores(), 'core')}, {platform.machine()}",
        **graphics,
    }


def _is_of_notebooks(name: str) -> bool:
    return name.startswith(("Jupyter", "Databricks"))


def _git_tags(project: Path) -> dict[str, str]:
    code = code_version(project)
    if code is None:
        return {}
    return {
        "mlflow.source.git.commit": code.commit,
        "mlflow.source.git.branch": code.branch,
        "mlflow.source.git.repoURL": code.remote,
        "git.dirty": str(code.has_changes).lower(),
    }
