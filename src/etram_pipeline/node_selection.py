"""Checks the selection of pipelines and nodes before anything is loaded."""

from collections.abc import Collection, Mapping
from typing import Any

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from kedro.runner import ParallelRunner

from etram_pipeline.core.component import unknown_name
from etram_pipeline.yaml_files import ConfigurationError

_FLAGS = {
    "tags": "--tags",
    "node_names": "--nodes",
    "from_nodes": "--from-nodes",
    "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs",
    "to_outputs": "--to-outputs",
    "namespaces": "--namespaces",
}
"""What `kedro run` calls the arguments of a session's `run`."""

_PARAMS = "params:"


def check_selection(names: Collection[str], options: Mapping[str, Any]) -> None:
    """Refuse unknown names, and selections without any node.

    Args:
        names: Pipelines to run.
        options: Other arguments of a session's `run`.

    Raises:
        ConfigurationError: With the nearest name and all known ones.
    """
    for name in names:
        if name not in pipelines:
            raise ConfigurationError(unknown_name("pipeline", name, list(pipelines)))
    if isinstance(options.get("runner"), ParallelRunner):
        raise ConfigurationError(
            "ParallelRunner is not supported: nodes need each other's results, and each node "
            "already computes recordings in parallel; set the number of processes with `--params "
            "executor.workers=…`"
        )
    chosen = sum((pipelines[name] for name in names), start=Pipeline([]))
    selection = {key: list(options[key]) for key in _FLAGS if options.get(key)}
    for option, wanted in selection.items():
        what, known = _known(option, chosen)
        for name in wanted:
            _check_name(f"{_FLAGS[option]}: ", what, name, known)
    if "namespaces" in selection:
        selection["node_namespaces"] = selection.pop("namespaces")
    try:
        chosen.filter(**selection)
    except ValueError as error:
        flags = ", ".join(_FLAGS[key] for key in _FLAGS if options.get(key))
        raise ConfigurationError(
            f"{flags} leave no node of {', '.join(names)} to run: drop one of them"
        ) from error


def _known(option: str, chosen: Pipeline) -> tuple[str, set[str]]:
    match option:
        case "tags":
            return "tag", {tag for node in chosen.nodes for tag in node.tags}
        case "from_inputs" | "to_outputs":
            return "dataset", set(chosen.datasets())
        case "namespaces":
            prefixes = (node.namespace_prefixes for node in chosen.nodes)
            return "namespace", set().union(*prefixes)
    return "node", {node.name for node in chosen.nodes}


def _check_name(where: str, what: str, name: str, known: Collection[str]) -> None:
    if not known:
        raise ConfigurationError(f"{where}unknown {what} {name!r}; these pipelines have none")
    if name not in known:
        known = [each for each in known if name.startswith(_PARAMS) or not each.startswith(_PARAMS)]
        meant = sorted(
            each for each in known if each.endswith(f".{name}") or each.startswith(f"{name}.")
        )
        raise ConfigurationError(f"{where}{unknown_name(what, name, known, meant)}")
