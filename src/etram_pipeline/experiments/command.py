"""The commands of an experiment's runs; they are typed by hand in the same way."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from etram_pipeline.arguments import parse
from etram_pipeline.core.mappings import flatten, merge
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.yaml_files import ConfigurationError

DATA_PIPELINES = ("preprocess",)
"""Pipelines that make the data; all runs of an experiment share it."""

TRIAL_PIPELINES = ("train",)
"""Pipelines of a trial of a search."""

RUN_PIPELINES = ("train", "predict", "evaluate", "report")
"""Pipelines of one run."""


def preparation(experiment: Experiment) -> list[str]:
    """The command that makes the data of all runs."""
    return _kedro(experiment.env, DATA_PIPELINES, experiment.parameters)


def run_command(experiment: Experiment, seed: int, results: str) -> list[str]:
    """The command of the run with one seed.

    Args:
        experiment: What to run.
        seed: Value of `train.seed`.
        results: Folder of its detector, detections and report; relative ones are in the project.
    """
    own = {"train.seed": seed, "results": results}
    return _kedro(experiment.env, RUN_PIPELINES, {**experiment.parameters, **own})


def trial_command(experiment: Experiment, tried: Mapping[str, Any], results: str) -> list[str]:
    """The command of a trial of a search, which trains and validates only.

    Args:
        experiment: What to search; its first seed is the seed of all trials.
        tried: Values of the trial by dotted key, which replace those of the experiment.
        results: Folder of its detector; relative ones are in the project.
    """
    own = {"train.seed": experiment.seeds[0], "results": results}
    return _kedro(experiment.env, TRIAL_PIPELINES, {**tried_parameters(experiment, tried), **own})


def tried_parameters(experiment: Experiment, tried: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of an experiment by dotted key, with the values of a trial instead of its own.

    A mapping that is tried is merged with that of the experiment as environments and presets are.
    """
    own, chosen = (
        parse(assignments(flatten(dict(each)))) for each in (experiment.parameters, tried)
    )
    return flatten(merge(own, chosen))


def executable(command: list[str]) -> list[str]:
    """The same command for a subprocess: with the Python that runs this program."""
    return [sys.executable, "-m", *command]


def assignments(params: Mapping[str, Any]) -> str:
    """Parameters by dotted key as the value of `--params`."""
    return ",".join(f"{key}={_text(value)}" for key, value in params.items())


def _kedro(env: str | None, pipelines: tuple[str, ...], params: Mapping[str, Any]) -> list[str]:
    place = [] if env is None else ["--env", env]
    pairs = assignments(params)
    given = ["--params", pairs] if pairs else []
    return ["kedro", "run", *place, "--pipelines", ",".join(pipelines), *given]


def _text(value: object) -> str:
    """A value as `--params` reads it."""
    is_plain = isinstance(value, str) and _stays_text(value)
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _stays_text(text: str) -> bool:
    """Whether `--params` takes a text without quotes as it is, whatever its parameter is."""
    try:
        return parse(f"untyped={text}") == {"untyped": text}
    except ConfigurationError:
        return False
