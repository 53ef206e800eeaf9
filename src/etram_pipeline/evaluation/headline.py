"""Names of the metrics that matter most in a run."""

from collections.abc import Mapping

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol

_WATCHED = "train.validation.protocol"


def headline(parameters: Mapping[str, object]) -> list[str]:
    """The headline values of the first protocol, then the value that validations monitor.

    Args:
        parameters: All parameters by their full name. Those that the run does not use may be
            invalid; they name nothing.
    """
    try:
        return list(dict.fromkeys([*_evaluated(parameters), *_monitored(parameters)]))
    except (ProtocolError, ValueError):
        return []


def _evaluated(parameters: Mapping[str, object]) -> list[str]:
    protocols, split = parameters.get("evaluate.protocols"), parameters.get("evaluate.split")
    if not isinstance(protocols, list | tuple) or not protocols:
        return []
    first = resolve_protocol(protocols[0])
    return [metric_name(str(split), first.name, value.name) for value in first.shown("headline")]


def _monitored(parameters: Mapping[str, object]) -> list[str]:
    watched = parameters.get(_WATCHED)
    if isinstance(watched, str):
        protocol = resolve_protocol(watched)
    elif name := parameters.get(f"{_WATCHED}.name"):
        # Of a protocol written out, only the metrics decide which value is monitored.
        fields = {"name": name, "metrics": parameters[f"{_WATCHED}.metrics"]}
        protocol = Protocol.model_validate(fields)
    else:
        return []
    return [metric_name("val", protocol.name, protocol.monitored.name)]
