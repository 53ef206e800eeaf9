"""Tags of a run: what was called, by whom, with which code."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etram_pipeline.core.masking import mask_arguments


def run_tags(params: Mapping[str, Any], project: Path, num_nodes: int) -> dict[str, str]:
    """Tags by name; passwords in addresses are still in them.

    Args:
        params: What Kedro says of the run.
        project: Folder whose version is recorded.
        num_nodes: Nodes that will run.
    """
    from mlflow.tracking.context.git_context import GitRunContext
    from mlflow.tracking.context.registry import resolve_tags

    tags = {
        "kedro.pipelines": "+".join(sorted(params["pipeline_names"] or ["__default__"])),
        "kedro.env": str(params.get("env") or "local"),
        "kedro.command": shlex.join(["kedro", *mask_arguments(sys.argv[1:])]),
        "kedro.run_id": params["run_id"],
        "kedro.nodes": str(num_nodes),
        **_git_tags(project),
    }
    if preset := (params.get("runtime_params") or {}).get("preset"):
        tags["preset"] = str(preset)
    # MLflow's own would import a library that warns where there is no git.
    return {**resolve_tags(ignore=[GitRunContext]), **tags}  # type: ignore[list-item]  # classes


def _git_tags(project: Path) -> dict[str, str]:
    def git(*words: str) -> str:
        try:
            done = subprocess.run(
                ["git", *words], cwd=project, capture_output=True, text=True, check=False
            )
        except OSError:
            return ""
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": git("rev-parse", "--abbrev-ref", "HEAD"),
        "mlflow.source.git.repoURL": git("remote", "get-url", "origin"),
        "git.dirty": str(bool(git("status", "--porcelain", "--untracked-files=no"))).lower(),
    }
