"""Whether differences confirm the hypothesis of an experiment."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from etram_pipeline.experiments.definition import Experiment, Success

if TYPE_CHECKING:
    from etram_pipeline.evaluation.paired import Difference
    from etram_pipeline.evaluation.protocol import Protocol
    from etram_pipeline.reports.comparison import Judgement, Outcome


def judge(
    experiment: Experiment | None,
    baseline: str,
    protocol: "Protocol",
    differences: "Mapping[str, Difference]",
) -> "Judgement":
    """The verdict on an experiment that is compared with a baseline.

    The value that decides is that of the criterion of success, if the experiment has one for this
    baseline and protocol, and else the protocol's headline value.

    Args:
        experiment: The experiment; None for a single run.
        baseline: Name of what it is compared with.
        protocol: Protocol of the differences.
        differences: To the baseline, by name, with intervals that decide.
    """
    from etram_pipeline.reports.comparison import Judgement

    success = experiment and experiment.success
    if not success or success.better_than != baseline:
        success = None
    applies = (
        success is not None
        and success.metric in differences
        and success.protocol in {None, protocol.name}
    )
    metric = success.metric if success and applies else protocol.monitored.name
    decided = differences[metric]
    return Judgement(
        metric=metric,
        criterion=_criterion(success) if success else "",
        low=decided.low,
        high=decided.high,
        verdict=decided.verdict,
        outcome=_outcome(success, protocol, decided) if success and applies else "not judged",
    )


def _criterion(success: Success) -> str:
    by = f"at least {success.by:g} better than" if success.by else "better than"
    where = f" under the protocol {success.protocol}" if success.protocol else ""
    return f"{success.metric}{where} {by} that of {success.better_than}"


def _outcome(success: Success, protocol: "Protocol", found: "Difference") -> "Outcome":
    if found.low is None or found.high is None:
        return "undecided"
    higher = {value.name: value.higher_is_better for value in protocol.values}
    is_gain = higher.get(success.metric.rpartition("/")[2], True)
    worst, best = (found.low, found.high) if is_gain else (-found.high, -found.low)
    if worst > 0 and worst >= success.by:
        return "met"
    return "not met" if best < success.by else "undecided"
