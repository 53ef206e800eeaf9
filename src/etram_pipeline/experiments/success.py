"""Whether differences confirm the hypothesis of an experiment."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from etram_pipeline.experiments.definition import Experiment, Success
from etram_pipeline.experiments.verdict import find_outcome

if TYPE_CHECKING:
    from etram_pipeline.evaluation.paired import Difference
    from etram_pipeline.evaluation.protocol import Protocol
    from etram_pipeline.reports.comparison import Judgement


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
        outcome=find_outcome(success, protocol, decided) if success and applies else "not judged",
    )


def _criterion(success: Success) -> str:
    by = f"at least {success.by:g} better than" if success.by else "better than"
    where = f" under the protocol {success.protocol}" if success.protocol else ""
    return f"{success.metric}{where} {by} that of {success.better_than}"
