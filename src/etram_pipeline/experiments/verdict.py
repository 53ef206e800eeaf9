"""Verdicts: whether the results of an experiment confirm its hypothesis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.experiments.definition import Experiment, Success

if TYPE_CHECKING:
    from etram_pipeline.evaluation.matches import Matches
    from etram_pipeline.evaluation.paired import Difference
    from etram_pipeline.evaluation.protocol import Protocol
    from etram_pipeline.reports.comparison import Judgement
else:  # `status` reads this module, but compares nothing if nothing has changed
    Matches = Difference = Protocol = Judgement = object

Outcome = Literal["confirmed", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What the results say about the hypothesis.

    Attributes:
        outcome: The verdict in one word.
        reason: The numbers in one or two sentences.
        difference: The difference to the other experiment; None if they could not be compared.
    """

    outcome: Outcome
    reason: str
    difference: Difference | None = None


def judge_matches(success: Success, before: Sequence[Matches], after: Sequence[Matches]) -> Verdict:
    """Compare an experiment with the one that it should surpass.

    The hypothesis is confirmed if the whole interval of the difference lies above the least
    improvement, and refuted if the whole interval lies below it.

    Args:
        success: Metric, other experiment and least improvement.
        before: Of the other experiment, one for each seed, under the protocol of `success`.
        after: Of the experiment itself.
    """
    other = success.better_than
    for side, name in ((after, "this experiment"), (before, other)):
        if not side:
            reason = f"No run of {name} has finished with results that can be compared."
            return Verdict("undecided", reason)
    from etram_pipeline.evaluation.paired import compare_matches

    try:
        found = compare_matches(before, after).get(success.metric)
    except ProtocolError as error:
        return Verdict("undecided", f"The results cannot be compared: {error}.")
    if found is None:
        return Verdict("undecided", f"Not all runs have a value of {success.metric}.")
    outcome = find_outcome(success, before[0].protocol, found)
    return Verdict(outcome, _reason(success, before, after, found), found)


def judge_differences(
    experiment: Experiment | None,
    baseline: str,
    protocol: Protocol,
    differences: Mapping[str, Difference],
) -> Judgement:
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


def find_outcome(success: Success, protocol: Protocol, found: Difference) -> Outcome:
    """The verdict on a difference.

    Args:
        success: What the hypothesis asks for.
        protocol: Protocol of the difference.
        found: The difference, with the interval that decides.
    """
    if found.low is None or found.high is None:
        return "undecided"
    values = {value.name: value.higher_is_better for value in protocol.values}
    sign = 1 if values.get(success.metric.rpartition("/")[2], True) else -1
    low, high = sorted((sign * found.low, sign * found.high))
    if low >= success.by and low > 0:
        return "confirmed"
    return "refuted" if high < success.by else "undecided"


def _criterion(success: Success) -> str:
    by = f"at least {success.by:g} better than" if success.by else "better than"
    where = f" under the protocol {success.protocol}" if success.protocol else ""
    return f"{success.metric}{where} {by} that of {success.better_than}"


def _reason(
    success: Success, before: Sequence[Matches], after: Sequence[Matches], found: Difference
) -> str:
    seeds = f"{counted(len(after), 'seed')} against {len(before)}"
    interval = (
        "without an interval"
        if found.low is None
        else f"95 % interval {found.low:+.3f} to {found.high:+.3f}"
    )
    text = (
        f"{success.metric} is {found.after:.3f}, that of {success.better_than} {found.before:.3f}: "
        f"a difference of {found.difference:+.3f} ({interval}; {seeds}, "
        f"{counted(found.num_recordings, 'recording')})."
    )
    if success.by:
        text += f" The hypothesis asks for at least {success.by:g}."
    caution = f" {found.caution[:1].upper()}{found.caution[1:]}." if found.caution else ""
    return text + caution
