"""Checks an experiment against the configuration, as `kedro run` will check its runs."""

import itertools
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from etram_pipeline import arguments
from etram_pipeline.configuration import FOLDERS, unknown_parameters
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.mappings import flatten, merge
from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import LIGHTING, OPERATING
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.experiments.command import assignments
from etram_pipeline.experiments.definition import Experiment, Success
from etram_pipeline.parameter_types import parameter_faults, parameter_types
from etram_pipeline.yaml_files import ConfigurationError

if TYPE_CHECKING:
    from etram_pipeline.experiments.project import Project
else:  # a project checks its experiments by this module
    Project = object

RESERVED: Mapping[str, str] = {
    "train.seed": "list the seeds under `seeds`: each is one run",
    "preset": "use the key `preset` of the experiment",
    "results": "each run has a folder of its own in 09_experiments",
    "run_id": "each run is created in MLflow when it is launched",
    "run_name": "the name of a run is that of the experiment and its seed",
    "mlflow": "MLflow keeps the list of runs, so every run is logged",
    "checkpoint": "a run evaluates the detector that it trains",
    "detections": "a run evaluates the detections of the detector that it trains",
    "recording": "a run needs recordings with labels: name their environment as `env`",
    "executor": "it changes no result: set it in globals.yml of the environment",
}
"""Parameters that an experiment may not set, and what to do instead."""

PREPARED_PARAMETERS = ("dataset", "labels", "windows", "representation")
"""Parameters that decide the content of prepared data."""


def find_faults(project: Project, name: str, experiment: Experiment) -> list[str]:
    """One line for everything that would stop the runs of an experiment, or make them useless.

    Args:
        project: Its project, whose pipelines are loaded.
        name: Its name.
        experiment: Its file.
    """
    return list(dict.fromkeys(_faults(project, name, experiment)))


def nested(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by dotted key as `kedro run` reads them from its command line.

    Raises:
        ConfigurationError: If they contradict each other.
    """
    return arguments.parse(assignments(params))


def _faults(project: Project, name: str, experiment: Experiment) -> Iterator[str]:
    yield from _reserved(experiment)
    known = yield from _existing(project, experiment)
    raw = yield from _parameters(project, known)
    yield from _shared_data(project, known, raw)
    yield from _search(experiment, raw)
    if experiment.success is not None:
        yield from _success(experiment.success, raw)
        yield from _baseline(project, name, experiment, experiment.success)


def _reserved(experiment: Experiment) -> Iterator[str]:
    given = [("params", key) for key in flatten(dict(experiment.params))]
    given += [("search", key) for key in searched_keys(experiment)]
    for place, key in given:
        reason = RESERVED.get(key) or RESERVED.get(key.split(".")[0])
        if reason:
            yield f"{place}: {key} cannot be set: {reason}"
    written = [each for key, value in experiment.params.items() for each in flatten(value, key)]
    for key in sorted({key for key in written if written.count(key) > 1}):
        yield f"params: {key} is set twice, once with a dotted and once with a nested key"


def searched_keys(experiment: Experiment) -> list[str]:
    """Dotted keys of all values that a search tries, those inside of its choices too."""
    found = list(experiment.search)
    for key, tried in experiment.search.items():
        for choice in tried.choices or ():
            found += flatten(choice, key)
    return list(dict.fromkeys(found))


def _existing(project: Project, experiment: Experiment) -> Generator[str, None, Experiment]:
    """The experiment without an environment or a preset that does not exist."""
    known = experiment.model_copy(update={"env": None, "preset": None})
    for key in ("env", "preset"):
        tried = known.model_copy(update={key: getattr(experiment, key)})
        try:
            project.loader(tried.env, _preset(tried))["parameters"]
        except ConfigurationError as error:
            yield f"{key}: {error}"
        else:
            known = tried
    return known


def _parameters(project: Project, known: Experiment) -> Generator[str, None, dict[str, Any]]:
    """All parameters of a run, without those that do not exist."""
    base = project.loader(known.env, _preset(known))["parameters"]
    params = {
        key: value
        for key, value in flatten(dict(known.params)).items()
        if not {key, key.split(".")[0]} & RESERVED.keys()
    }
    try:
        given = nested(params)
        unknown = unknown_parameters(given, [*base, *FOLDERS], base)
        yield from (f"params: {message}" for message in unknown.values())
        sound = {key: value for key, value in given.items() if key not in unknown}
        raw = project.loader(known.env, {**_preset(known), **sound})["parameters"]
    except ConfigurationError as error:
        yield f"params: {error}"
        return base
    yield from (f"params: {fault}" for fault in parameter_faults(raw))
    return raw


def _preset(experiment: Experiment) -> dict[str, Any]:
    return {} if experiment.preset is None else {"preset": experiment.preset}


def _shared_data(project: Project, known: Experiment, raw: Mapping[str, Any]) -> Iterator[str]:
    """Other data in the folder that the other experiments of the environment use."""
    if "data" in known.params:
        return
    usual, types = project.loader(known.env)["parameters"], parameter_types()
    try:
        changed = [
            key
            for key in PREPARED_PARAMETERS
            if types[key].model_validate(usual[key]) != types[key].model_validate(raw[key])
        ]
    except ValidationError:  # reported with the parameters
        return
    if changed:
        yield (
            f"{', '.join(changed)} differ from those of the environment, whose prepared data all "
            "its experiments share: add a data folder of its own to `params`, such as "
            f"data: {project.loader(known.env)['globals']['data']}_{changed[0]}"
        )


def _search(experiment: Experiment, raw: Mapping[str, Any]) -> Iterator[str]:
    if experiment.limit is not None and not experiment.search:
        yield "limit: it is about the trials of a search, but there is no `search`: remove it"
    yield from _set_twice(experiment)
    for key, tried in experiment.search.items():
        if key.split(".")[0] in PREPARED_PARAMETERS:
            yield f"search: {key} would change the prepared data, which all trials share"
        for value in tried.examples:
            try:
                given = nested({key: value})
            except ConfigurationError as error:
                yield f"search: {error}"
                continue
            unknown = unknown_parameters(given, list(raw), raw)
            faults = unknown.values() or parameter_faults(merge(raw, given), only=given)
            sound = set(parameter_faults(raw, only=given))
            yield from (f"search: {fault}" for fault in faults if fault not in sound)


def _set_twice(experiment: Experiment) -> Iterator[str]:
    """Values that two searched parameters set, one of which is inside the other."""
    for outer, inner in itertools.permutations(experiment.search, 2):
        choices = experiment.search[outer].choices or ()
        written = {name for choice in choices for name in flatten(choice, outer)}
        if inner.startswith(f"{outer}.") and any(_overlap(inner, name) for name in written):
            yield f"search: {outer} and {inner} both set {inner}: leave it out of one of them"


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _success(success: Success, raw: Mapping[str, Any]) -> Iterator[str]:
    try:
        evaluate = EvaluateSettings.model_validate(raw["evaluate"])
        classes = DatasetSettings.model_validate(raw["dataset"]).detected_classes
    except ValidationError:  # reported with the parameters
        return
    protocols = {protocol.name: protocol for protocol in evaluate.protocols}
    name = success.protocol or next(iter(protocols))
    if name not in protocols:
        message = unknown_name("protocol", name, protocols)
        yield f"success.protocol: {message}; `evaluate.protocols` lists those that are evaluated"
        return
    known = metrics_of(protocols[name], classes)
    if success.metric not in known:
        message = unknown_name("metric", success.metric, known)
        yield f"success.metric: {message}"


def metrics_of(protocol: Protocol, classes: tuple[str, ...]) -> dict[str, bool]:
    """Metrics under a protocol by name, and whether a larger value is better.

    Args:
        protocol: The protocol.
        classes: Names of all classes, of which the protocol may choose some.
    """
    overall = {value.name: value.higher_is_better for value in protocol.values}
    shown = {value.name: value.higher_is_better for value in protocol.shown("headline")}
    scored = protocol.scored_classes or classes
    parts = (*scored, *LIGHTING)
    of_parts = {metric_name(part, name): better for part in parts for name, better in shown.items()}
    at_point = (
        *(metric_name(OPERATING, name) for name in ("F1", "precision", "recall")),
        *(metric_name(name, OPERATING, "F1") for name in scored),
    )
    return overall | of_parts | dict.fromkeys(at_point, True)


def _baseline(
    project: Project, name: str, experiment: Experiment, success: Success
) -> Iterator[str]:
    if success.better_than == name:
        yield f"success.better_than: {name} is this experiment: name another one"
    elif success.better_than not in project.names():
        message = unknown_name("experiment", success.better_than, project.names())
        yield f"success.better_than: {message}"
    else:
        try:
            other = project.described(success.better_than)
        except ConfigurationError:  # its own fault, which its own launch reports
            return
        if other.env != experiment.env:
            mine, its = experiment.env or "the default one", other.env or "the default one"
            yield (
                f"success.better_than: {success.better_than} runs in another environment, {its}, "
                f"than this experiment, {mine}: only results on the same data can be compared"
            )
