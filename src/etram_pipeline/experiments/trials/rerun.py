"""The best trial as an experiment of its own, on seeds that the search did not use."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from etram_pipeline.core.files import written_whole
from etram_pipeline.experiments.command import tried_parameters
from etram_pipeline.experiments.definition import Experiment, Success
from etram_pipeline.experiments.registry import Registry, definition
from etram_pipeline.experiments.trials.plan import Search
from etram_pipeline.experiments.trials.trial import Trial, best_score, values_text
from etram_pipeline.yaml_files import ConfigurationError, read_yaml

_WIDTH = 100


@dataclass(frozen=True)
class FreshRun:
    """A run of the best values with a seed that the search did not use.

    Attributes:
        seed: The seed.
        status: Status of the run; `not launched` without one.
        score: Its best validation score; None: it has none yet.
    """

    seed: int
    status: str
    score: float | None


def best_name(name: str) -> str:
    """Name of the experiment with the best values."""
    return f"{name}_best"


def best_experiment(search: Search, best: Trial, num_trials: int) -> Experiment:
    """The experiment that tests the best values."""
    experiment, name = search.experiment, search.name
    params = tried_parameters(experiment, best.params)
    params.pop("preset", None)
    fresh = (seed for seed in itertools.count() if seed != experiment.seeds[0])
    return Experiment(
        hypothesis=f"The best of {num_trials} trials of {name} is better than {name} itself.",
        why=(
            f"Trial {best.number} had the best {search.monitor.name}, "
            f"{best.best(search.monitor):.4f}, with {values_text(best.params)}. The best of many "
            "trials is optimistic, so these runs use seeds that the search did not use."
        ),
        success=Success(better_than=name),
        env=experiment.env,
        preset=experiment.preset,
        params=params,
        seeds=tuple(itertools.islice(fresh, len(experiment.seeds))),
        size=experiment.size,
    )


def write_best(search: Search, experiment: Experiment) -> Path:
    """Write the file of the experiment with the best values, unless it is there.

    Raises:
        ConfigurationError: If there is another file of that name, which the search did not write.
    """
    path = search.project.definitions / f"{best_name(search.name)}.yml"
    head = f"# Written by `kedro experiments search {search.name}`, and again when that finds"
    head += " better values.\n"
    content = experiment.model_dump(mode="json", exclude_defaults=True)
    text = head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=_WIDTH)
    if path.exists():
        if _computes(read_yaml(path)) == _computes(content):
            return path
        if not path.read_text(encoding="utf-8").startswith(head):
            raise ConfigurationError(
                f"{path} is not the file of the best trial, which would be written there: rename "
                "it, and run the same command again"
            )
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def fresh_runs(search: Search, experiment: Experiment, registry: Registry) -> list[FreshRun]:
    """The newest run of each seed of the experiment with the best values."""
    found = registry.runs([best_name(search.name)])
    fresh = []
    for seed in experiment.seeds:
        wanted = definition(search.project, experiment, seed)
        run = next((run for run in found if run.definition == wanted), None)
        if run is None:
            fresh.append(FreshRun(seed, "not launched", None))
            continue
        history = registry.history(run.run_id, search.monitor.name)
        score = best_score((each.value for each in history), search.monitor)
        fresh.append(FreshRun(seed, run.status, score))
    return fresh


def _computes(content: Mapping[str, Any]) -> list[object]:
    return [content.get(key) for key in ("env", "preset", "params", "seeds")]
