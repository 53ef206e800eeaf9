"""New files of experiments, to be filled in."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.files import written_whole
from etram_pipeline.experiments.definition import PLACEHOLDER, Experiment, Success
from etram_pipeline.experiments.project import Project, name_fault
from etram_pipeline.yaml_files import ConfigurationError

_WIDTH = 100

_COMMENTS: Mapping[str, str] = {
    "hypothesis": "One sentence that the results can confirm or refute.",
    "why": "Reasons for the hypothesis.",
    "published": "What others published about it: numbers, protocol and source.",
    "success": (
        "The result that confirms the hypothesis: `metric` under `protocol` is better than that of "
        "the experiment `better_than`, at least by `by`. Without a protocol, it is the first one "
        "of `evaluate.protocols`."
    ),
    "env": "Environment of `kedro run`, which chooses the data; null: the default one.",
    "preset": "Preset of `kedro run`: a file in conf/presets.",
    "params": "Further parameters, as `kedro run --params` takes them, with dotted or nested keys.",
    "seeds": "Each seed is one run.",
    "size": "Selects the resources of jobs: nano, small, medium, large, xlarge or 2xlarge.",
    "search": (
        "Ranges of parameters for `kedro experiments search`: "
        "`train.optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}`"
    ),
    "limit": (
        "What a detector of the search may cost to be trained: `{ms_per_window: 30}`, in "
        "milliseconds of processor time; null: anything."
    ),
}


def new(
    name: str,
    like: str | None = None,
    hypothesis: str | None = None,
    project: Project | None = None,
) -> Path:
    """Write the file of a new experiment, with comments that explain each key.

    Args:
        name: Name of the experiment.
        like: Experiment to start from, which is also the one to compare with; or a preset.
        hypothesis: One sentence; without it, the file holds a placeholder that must be replaced.
        project: Where to write it; None: the project around the working directory.

    Returns:
        The file, `conf/experiments/<name>.yml`.

    Raises:
        ConfigurationError: If the name is invalid or taken, or `like` does not exist.
    """
    project = project or Project.find()
    if fault := name_fault(name):
        raise ConfigurationError(fault)
    path = project.file(name)
    if path.exists():
        raise ConfigurationError(f"{path} exists: edit it, or choose another name")
    example = _example(project, like)
    # Keys that a range leaves out may not be set beside those that it has.
    ranges = {
        key: tried.model_dump(mode="json", exclude_defaults=True)
        for key, tried in example.search.items()
    }
    changes = {
        "hypothesis": hypothesis or PLACEHOLDER,
        "why": "",
        "published": "",
        "search": ranges,
    }
    content = _written({**example.model_dump(mode="json"), **changes})
    with written_whole(path) as partial:
        partial.write_text(content, encoding="utf-8")
    return path


def _example(project: Project, like: str | None) -> Experiment:
    """What the new experiment starts from."""
    if like is None:
        return Experiment(hypothesis="-")
    if like in project.names():
        described = project.described(like)
        protocol = described.success and described.success.protocol
        success = Success(better_than=like, protocol=protocol)
        return described.model_copy(update={"success": success})
    presets = project.presets()
    if like in presets:
        return Experiment(hypothesis="-", preset=like)
    message = unknown_name("experiment or preset", like, {*project.names(), *presets})
    raise ConfigurationError(f"--like: {message}")


def _written(content: Mapping[str, Any]) -> str:
    parts = []
    for key, comment in _COMMENTS.items():
        lines = textwrap.wrap(comment, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        text = yaml.safe_dump(
            {key: content[key]}, sort_keys=False, allow_unicode=True, width=_WIDTH
        )
        parts.append("\n".join([*lines, text]))
    return "\n".join(parts)
