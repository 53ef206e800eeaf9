"""What is wrong with recordings and their labels, and what to do about it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etram_pipeline.quality.rules import RULES, Severity
from etram_pipeline.quality.survey import Survey

logger = logging.getLogger(__name__)

SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")

MAX_CHARACTERS = 300
"""Length at which a text from outside, such as an error, is cut."""

_LOGGED_NAMES = 5
_LEVELS = {"problem": logging.WARNING, "warning": logging.WARNING, "note": logging.INFO}


@dataclass(frozen=True)
class Finding:
    """Something a person should know of one recording.

    Attributes:
        severity: How bad it is.
        title: What it is, the same for all recordings it is found in.
        recording: Where, as `<split>/<name>`; empty if in all of them.
        detail: How much of it.
        remedy: What to do about it.
    """

    severity: Severity
    title: str
    recording: str
    detail: str
    remedy: str


def find(survey: Survey) -> list[Finding]:
    """Everything remarkable, worst first, and what is the same in many recordings together."""
    found = [
        Finding(
            "problem",
            "the recording cannot be read",
            key,
            cut(reason),
            "mend it or fetch it again; the others go on without it",
        )
        for key, reason in survey.failed.items()
    ]
    for rule in RULES:
        for key, quality in survey.recordings.items():
            detail = rule.check(quality, survey)
            if detail:
                found.append(Finding(rule.severity, rule.title, key, cut(detail), rule.remedy))
    found += _about_all(survey)
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def cut(text: str) -> str:
    """A text, shortened if it is long."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"


def together(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of the same title in lists of their own, in their order."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.title, []).append(finding)
    return list(groups.values())


def log_findings(findings: Sequence[Finding]) -> None:
    """One line for each kind of finding, however many recordings it is found in."""
    for group in together(findings):
        first, num_more = group[0], len(group) - _LOGGED_NAMES
        named = [f"{one.recording}: {one.detail}" for one in group[:_LOGGED_NAMES]]
        more = f"; and {num_more} more, see the quality page" if num_more > 0 else ""
        where = "; ".join(named) if first.recording else first.detail
        logger.log(_LEVELS[first.severity], "%s (%s%s): %s", first.title, where, more, first.remedy)


def _about_all(survey: Survey) -> Iterator[Finding]:
    class_ids = {
        class_id
        for quality in survey.recordings.values()
        if quality.labels
        for class_id in quality.labels.boxes_of_class
    }
    label_sets = survey.label_sets
    smaller = label_sets.smaller(survey.dataset, class_ids)
    if smaller is not None:
        names = ", ".join(survey.dataset.class_names[class_id] for class_id in sorted(class_ids))
        yield Finding(
            "warning",
            f"the labels may be of {smaller}",
            "",
            f"in all label files no class occurs but {names}",
            f"{label_sets.dataset}'s label files of {smaller} look like this: if these are such "
            f"files, {label_sets.sets[smaller].use}, or use the files of "
            f"{label_sets.wanted(survey.dataset)}",
        )
