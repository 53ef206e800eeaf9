"""The faults found in recordings and their labels, and what to do about them."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etram_pipeline.quality.rules import RULES, Severity
from etram_pipeline.quality.survey import Survey

logger = logging.getLogger(__name__)

SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")

MAX_CHARACTERS = 300
"""Length to which errors and other texts of variable length are shortened."""

_LOGGED_NAMES = 5
_LEVELS = {"problem": logging.WARNING, "warning": logging.WARNING, "note": logging.INFO}


@dataclass(frozen=True)
class Finding:
    """A fault found in one recording, or in all of them.

    Attributes:
        severity: How serious it is.
        title: Name of the fault, the same in all recordings.
        recording: The recording, as `<split>/<name>`; empty if it concerns all of them.
        detail: Extent of the fault.
        remedy: What to do about it.
    """

    severity: Severity
    title: str
    recording: str
    detail: str
    remedy: str


def find(survey: Survey) -> list[Finding]:
    """All faults of all recordings, most serious first, those with the same title together."""
    found = [
        Finding(
            "problem",
            "the recording cannot be read",
            key,
            cut(reason),
            "repair it or fetch it again; the other recordings are processed without it",
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
    """A text, shortened to `MAX_CHARACTERS`."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"


def together(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings grouped by title, in their order."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.title, []).append(finding)
    return list(groups.values())


def log_findings(findings: Sequence[Finding]) -> None:
    """Log one line per title, however many recordings are concerned."""
    for group in together(findings):
        first, num_more = group[0], len(group) - _LOGGED_NAMES
        named = [f"{one.recording}: {one.detail}" for one in group[:_LOGGED_NAMES]]
        more = f"; and {num_more} more, see the quality report" if num_more > 0 else ""
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
            f"the only classes in all label files are {names}",
            f"{label_sets.dataset}'s label files of {smaller} look like this: if these are such "
            f"files, {label_sets.sets[smaller].use}, or use the files of "
            f"{label_sets.wanted(survey.dataset)}",
        )
