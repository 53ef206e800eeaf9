"""Comparing results that may be compared."""

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.evaluation.protocol import BoxProtocol
from etram_pipeline.evaluation.result import Metrics, flatten_metrics


def compare(before: Metrics, after: Metrics) -> dict[str, float]:
    """Change of every metric that both have, `after` minus `before`.

    Returns:
        Differences by name: `AP`, `car/AP_50`, `night/AP`.

    Raises:
        ProtocolError: If the protocols differ, or the ground truth does.
    """
    if not before.protocol.same_as(after.protocol):
        raise ProtocolError(
            f"results of protocol {before.protocol.name!r} cannot be compared with those of "
            f"{after.protocol.name!r}: {differing_choices(before.protocol, after.protocol)}; "
            "evaluate both by the same protocol"
        )
    if _ground_truth(before) != _ground_truth(after):
        raise ProtocolError(
            f"results on {_ground_truth(before)} cannot be compared with those on "
            f"{_ground_truth(after)}; evaluate both on the same recordings and labels"
        )
    if before.ground_truth and after.ground_truth and before.ground_truth != after.ground_truth:
        raise ProtocolError(
            "these results cannot be compared: their labels differ in time, box or class, although "
            "the protocol is the same; evaluate both with the same label files and the same "
            "filters under `labels`"
        )
    old, new = plain_values(before), plain_values(after)
    return {name: new[name] - old[name] for name in new if name in old}


def differing_choices(before: BoxProtocol, after: BoxProtocol) -> str:
    """The fields in which two protocols differ, each with both values."""
    old, new = before.model_dump(), after.model_dump()
    fields = [name for name in old | new if old.get(name) != new.get(name)]
    return ", ".join(
        f"{name} {old.get(name)} and {new.get(name)}"
        for name in fields
        if name not in {"name", "description"}
    )


def _ground_truth(metrics: Metrics) -> str:
    labels = {name: part.num_labels for name, part in metrics.per_class.items()}
    return f"{counted(metrics.num_recordings, 'recording')} with labels {labels}"


def plain_values(metrics: Metrics) -> dict[str, float]:
    """Metrics by name without split and protocol: `AP`, `car/AP_50`, `night/AP`."""
    values = metrics.model_copy(update={"intervals": {}})  # the ends of intervals do not improve
    prefix = metric_name("x", metrics.protocol.name) + "/"
    return {
        name.removeprefix(prefix): value for name, value in flatten_metrics(values, "x").items()
    }
