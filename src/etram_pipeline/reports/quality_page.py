"""The quality of recordings and labels as one HTML file that needs no other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from etram_pipeline.core.counts import duration
from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.drawing import palette
from etram_pipeline.labels.moments import LeftOut
from etram_pipeline.quality.findings import SEVERITIES, Finding, cut, together
from etram_pipeline.quality.job import RecordingQuality
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.quality.survey import Survey
from etram_pipeline.reports.sparkline import course, draw
from etram_pipeline.reports.templating import render_page

MAX_ROWS = 400
"""Recordings shown one by one; those with findings come first, and the table file has them all."""
MAX_NAMED = 100
"""Recordings named under a finding."""

_NUM_OPEN = 4


@dataclass(frozen=True)
class _Row:
    """A recording as the page shows it; a number is None where there is nothing to tell."""

    key: str
    name: str
    severity: str
    titles: str
    error: str
    quality: RecordingQuality | None
    peak_hz: float
    drawing: Markup


@dataclass(frozen=True)
class _Group:
    """Findings of one kind."""

    first: Finding
    num: int
    shown: list[Finding]
    folded: list[Finding]
    num_hidden: int


def write_quality_page(
    survey: Survey,
    findings: Sequence[Finding],
    settings: QualitySettings,
    left_out: Mapping[str, LeftOut] | None = None,
) -> str:
    """The page as HTML.

    Args:
        survey: What was found in all recordings.
        findings: What of it is remarkable, worst first.
        settings: What counted as a fault.
        left_out: Numbers of labelled moments that will be no labelled frame, by recording.
    """
    rows = _rows(survey, findings)
    labels = [one.labels for one in survey.recordings.values() if one.labels]
    events = [one.events for one in survey.recordings.values()]
    values = {
        "num_recordings": len(survey.keys),
        "duration": duration_text(sum(each.duration_us for each in events)),
        "num_events": sum(each.num_events for each in events),
        "num_boxes": sum(each.num_boxes for each in labels),
        "has_labels": survey.has_labels,
        "left_out": left_out or {},
        "num_moments": sum(each.num_moments for each in labels),
        "all_left_out": sum((left_out or {}).values(), LeftOut()),
        "counts": {
            severity: sum(finding.severity == severity for finding in findings)
            for severity in SEVERITIES
        },
        "groups": [_group(group) for group in together(findings)],
        "splits": {
            split: own
            for split in SPLITS
            if (own := [row for row in rows if RecordingKey.parse(row.key).split == split])
        },
        "num_hidden": len(survey.keys) - len(rows),
        "classes": _class_rows(survey),
        "settings": settings,
        "big": big_text,
        "time": duration_text,
    }
    return render_page("quality.html.j2", values)


def big_text(number: int | float) -> str:
    """A count in three digits or so: `1.23 M`."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            digits = max(0, 2 - int(math.log10(number / factor)))
            return f"{number / factor:.{digits}f} {unit}"
    return f"{number:.0f}"


def duration_text(duration_us: int) -> str:
    """A length of time in words: `3 min 36 s`."""
    seconds = duration_us / 1e6
    if seconds >= 59.95:  # noqa: PLR2004  # which one digit would make 60.0
        return duration(seconds)
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"  # noqa: PLR2004  # digits


def _group(findings: Sequence[Finding]) -> _Group:
    named = list(findings[:MAX_NAMED])
    # A single one more is shown rather than folded.
    num_open = _NUM_OPEN if len(named) > _NUM_OPEN + 1 else len(named)
    return _Group(
        first=named[0],
        num=len(findings),
        shown=named[:num_open],
        folded=named[num_open:],
        num_hidden=len(findings) - len(named),
    )


def _rows(survey: Survey, findings: Sequence[Finding]) -> list[_Row]:
    found: dict[str, list[Finding]] = {key: [] for key in survey.keys}
    for finding in findings:
        if finding.recording:
            found[finding.recording].append(finding)
    chosen = sorted(found, key=lambda key: not found[key])[:MAX_ROWS]
    return [_row(key, survey, found[key]) for key in sorted(chosen)]


def _row(key: str, survey: Survey, findings: Sequence[Finding]) -> _Row:
    quality = survey.recordings.get(key)
    peak_hz, drawing = 0.0, Markup("")
    if quality is not None and quality.events.num_kept:
        shown = course(quality)
        peak_hz = shown.peak_hz
        text = f"{big_text(quality.events.rate_hz)} events/s, at most {big_text(peak_hz)}"
        drawing = draw(shown, text)
    return _Row(
        key=key,
        name=RecordingKey.parse(key).name,
        severity=findings[0].severity if findings else "",
        titles="; ".join(finding.title for finding in findings),
        error=cut(survey.failed.get(key, "")),
        quality=quality,
        peak_hz=peak_hz,
        drawing=drawing,
    )


def _class_rows(survey: Survey) -> list[dict[str, object]]:
    """Boxes of each class by split, with the length of a bar on a logarithmic scale."""
    totals: dict[str, dict[int, int]] = {split: {} for split in SPLITS}
    for key, quality in survey.recordings.items():
        if quality.labels is not None:
            own = totals[RecordingKey.parse(key).split]
            for class_id, count in quality.labels.boxes_of_class.items():
                own[class_id] = own.get(class_id, 0) + count
    largest = max((count for own in totals.values() for count in own.values()), default=0)
    if not largest:
        return []
    splits = [split for split in SPLITS if totals[split]]
    names = dict(enumerate(survey.dataset.class_names))
    unknown = sorted({class_id for own in totals.values() for class_id in own} - set(names))
    names |= {class_id: f"id {class_id}, no name" for class_id in unknown}
    return [
        {
            "name": name,
            "colour": palette.class_colour(class_id),
            "counts": {split: totals[split].get(class_id, 0) for split in splits},
            "widths": {
                split: 100 * math.log1p(totals[split].get(class_id, 0)) / math.log1p(largest)
                for split in splits
            },
        }
        for class_id, name in names.items()
    ]
