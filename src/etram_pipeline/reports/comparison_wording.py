"""Differences and what they can tell, in words."""

from collections.abc import Iterator, Sequence

from etram_pipeline.core.counts import counted
from etram_pipeline.evaluation.paired import Difference
from etram_pipeline.reports.comparison import Comparison, Judgement, Side
from etram_pipeline.reports.wording import ABSENT

FEW_RECORDINGS = 10
"""Fewer recordings make intervals wide, and their own width uncertain."""

NO_INTERVAL = "no interval"
_BY_CHANCE = 20  # one in this many 95 % intervals around no difference excludes 0


def signed_text(value: float) -> str:
    """A difference with its sign: `+0.014`."""
    # Rounding must not hide on which side of 0 the end of an interval is.
    texts = [f"{abs(value):.{digits}f}" for digits in (3, 5)]
    text = next((text for text in texts if float(text)), "")
    if not text:
        return texts[0]
    return f"{'+' if value > 0 else ABSENT}{text}"


def interval_text(low: float | None, high: float | None) -> str:
    """An interval of a difference: `+0.010 … +0.040`."""
    if low is None or high is None:
        return NO_INTERVAL
    return f"{signed_text(low)} … {signed_text(high)}"


def excludes_zero(difference: Difference) -> bool:
    """Whether 0 lies outside the interval of a difference."""
    low, high = difference.low, difference.high
    return low is not None and high is not None and (low > 0 or high < 0)


def runs_text(before: Side, after: Side) -> str:
    """How many runs a difference is the mean of: `3 seeds each`."""
    numbers = len(before.runs), len(after.runs)
    if numbers[0] == numbers[1]:
        return "one run each" if numbers[0] == 1 else f"{counted(numbers[0], 'seed')} each"
    return " and ".join(f"{_runs(side)} of {side.name}" for side in (before, after))


def verdict_sentence(comparison: Comparison, place: int) -> str:
    """The result of one of the other sides: values, difference, interval, evidence and verdict."""
    side, judgement = comparison.others[place], comparison.judgements[place]
    found = comparison.differences[place][judgement.metric]
    evidence = (
        f"over {counted(found.num_recordings, 'recording')} and "
        f"{runs_text(comparison.baseline, side)}"
    )
    interval = (
        NO_INTERVAL
        if found.low is None
        else f"95 % interval {interval_text(found.low, found.high)}"
    )
    return (
        f"{comparison.title(judgement.metric)} {found.before:.3f} → {found.after:.3f}, difference "
        f"{signed_text(found.difference)}, {interval} {evidence}: {judgement.verdict}."
    )


def judgement_facts(comparison: Comparison, place: int) -> tuple[str, ...]:
    """What else the verdict on one of the other sides depends on, one sentence each."""
    judgement = comparison.judgements[place]
    found = comparison.differences[place][judgement.metric]
    facts = [
        *_criterion_facts(judgement),
        *_together_facts(comparison, judgement),
        *_resolution_facts(judgement),
    ]
    if found.caution:
        facts.append(f"{found.caution[:1].upper()}{found.caution[1:]}.")
    return tuple(facts)


def general_facts(comparison: Comparison) -> tuple[str, ...]:
    """What the intervals of a comparison mean and what they cannot tell, one sentence each."""
    number = comparison.num_differences
    facts = [
        "An interval covers the difference over all recordings of this kind in 95 of 100 "
        "comparisons; with several seeds on both sides, also over all seeds. Both sides are "
        f"compared in the same {comparison.rounds:,} draws of recordings.",
        f"This page shows {counted(number, 'difference')}. Where nothing differs, about 1 in "
        f"{_BY_CHANCE} intervals excludes 0 by chance"
        + (f", which is {number / _BY_CHANCE:.0f} of {number}" if number >= _BY_CHANCE else "")
        + ". Only the value named in a verdict above is a test of the hypothesis; all other "
        "differences are exploratory, and a new experiment must confirm them.",
    ]
    if 1 < comparison.num_recordings < FEW_RECORDINGS:
        facts.append(
            f"{counted(comparison.num_recordings, 'recording').capitalize()} are few: the width of "
            "the intervals is itself uncertain, and a scene or weather that none of them shows is "
            "not included. Evaluate at least 10 recordings before you rely on a verdict."
        )
    if comparison.num_recordings == 1:
        facts.append(
            "There is a single recording, which cannot show how much a difference varies between "
            "recordings: no verdict is possible."
        )
    return tuple(facts)


def left_out_facts(sides: Sequence[Side]) -> tuple[str, ...]:
    """Runs that are not compared, and why."""
    return tuple(f"{side.name}: {reason}" for side in sides for reason in side.left_out)


def _runs(side: Side) -> str:
    # Detections from elsewhere have no known seed.
    return counted(len(side.runs), "run" if side.runs[0].seed is None else "seed")


def _criterion_facts(judgement: Judgement) -> Iterator[str]:
    if judgement.criterion:
        yield f"The hypothesis is {judgement.outcome}; it asks for {judgement.criterion}."


def _together_facts(comparison: Comparison, judgement: Judgement) -> Iterator[str]:
    number = len(comparison.others)
    if number > 1 and judgement.low is not None:
        yield (
            f"The verdict reads the wider interval {interval_text(judgement.low, judgement.high)}: "
            f"the intervals of all {number} comparisons with {comparison.baseline.name} hold "
            "together in 95 of 100 cases."
        )


def _resolution_facts(judgement: Judgement) -> Iterator[str]:
    low, high = judgement.low, judgement.high
    if low is None or high is None or judgement.verdict != "undecided":
        return
    if low == high:
        yield (
            "Every draw of recordings gives both sides the same value: their detections are "
            "probably the same."
        )
        return
    yield (
        f"Undecided does not mean equal: only a difference of about {(high - low) / 2:.2g} or more "
        "would have been told from chance with these recordings and seeds."
    )
