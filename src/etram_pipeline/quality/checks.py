"""One check per fault: its extent in a recording as text, or an empty text without the fault."""

import math
from collections.abc import Callable

from etram_pipeline.core.counts import counted
from etram_pipeline.quality.job import RecordingQuality
from etram_pipeline.quality.label_quality import LabelQuality
from etram_pipeline.quality.survey import Survey
from etram_pipeline.quality.time_unit import UNITS_US, likely_unit

MANY = 0.01
"""Share of events or boxes above which a fault affects many of them."""
FEW_LATE = 0.001
"""Share of late events that real cameras produce."""
HOT = 0.01
"""Share of all events above which hot pixels deserve a warning."""
ONE_SIDED = 0.1
"""Share of the rarer polarity below which a fault is likely."""
OVER_BORDER = 0.1
"""Share of boxes over the border above which the labels may be of another sensor."""


Check = Callable[[RecordingQuality, Survey], str]


def share_text(part: int, whole: int, noun: str) -> str:
    """A count and its percentage: `12 of 3,400 events (0.35 %)`.

    Args:
        part: Number of affected items.
        whole: Number of all items; not 0.
        noun: Plural name of the items.
    """
    percent = 100 * part / whole
    shown = f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"  # noqa: PLR2004  # two digits
    return f"{part:,} of {whole:,} {noun} ({shown} %)"


def share_of_events(
    count: Callable[[RecordingQuality], int], least: float = 0.0, below: float = math.inf
) -> Check:
    """A check that reports a number of events if its share is in `[least, below)` and not 0.

    Args:
        count: Gives the number of affected events of a recording.
        least: Smallest share that is reported.
        below: Share from which it is not reported any more.
    """

    def check(quality: RecordingQuality, _survey: Survey) -> str:
        part, whole = count(quality), quality.events.num_events
        return share_text(part, whole, "events") if part and least <= part / whole < below else ""

    return check


def share_of_boxes(
    count: Callable[[LabelQuality], int], least: float = 0.0, below: float = math.inf
) -> Check:
    """A check that reports a number of boxes if its share is in `[least, below)` and not 0.

    Args:
        count: Gives the number of affected boxes of a label file.
        least: Smallest share that is reported.
        below: Share from which it is not reported any more.
    """

    def check(quality: RecordingQuality, _survey: Survey) -> str:
        labels = quality.labels
        part, whole = (count(labels), labels.num_boxes) if labels else (0, 0)
        return share_text(part, whole, "boxes") if part and least <= part / whole < below else ""

    return check


def no_events(quality: RecordingQuality, _survey: Survey) -> str:
    """Recordings without any event on the sensor."""
    return "" if quality.events.num_kept else f"{quality.events.num_events:,} events in the file"


def single_polarity(quality: RecordingQuality, _survey: Survey) -> str:
    """Recordings whose events all have one polarity."""
    events = quality.events
    if not events.num_kept or events.num_rising not in {0, events.num_kept}:
        return ""
    return f"all {events.num_kept:,} are {'rising' if events.num_rising else 'falling'}"


def one_sided(quality: RecordingQuality, survey: Survey) -> str:
    """Recordings in which one polarity is far rarer than the other."""
    share = quality.events.rising_share
    if single_polarity(quality, survey) or min(share, 1 - share) >= ONE_SIDED:
        return ""
    return f"{share:.1%} of events are rising"


def gaps(quality: RecordingQuality, _survey: Survey) -> str:
    """Times without events."""
    events = quality.events
    if not events.num_gaps:
        return ""
    stretches = counted(events.num_gaps, "stretch", "stretches")
    return (
        f"{stretches}, {events.gaps_us / 1e6:,.2f} s in total; the longest lasts "
        f"{events.longest_gap_us / 1e6:,.2f} s at {events.longest_gap_start_us / 1e6:,.2f} s"
    )


def outside_time(labels: LabelQuality) -> int:
    """Boxes outside the time of the recording, unless another clock explains them."""
    return 0 if labels.clock else labels.num_outside_time


def other_clock(quality: RecordingQuality, _survey: Survey) -> str:
    """Labels that lie within their recording only by another clock than that of its file."""
    if quality.labels is None or not quality.labels.clock:
        return ""
    start_s = quality.events.start_us / 1e6
    return (
        f"labels begin before the first event, at {start_s:,.2f} s; they fit with "
        f"`dataset.clock: {quality.labels.clock}`"
    )


def hot_pixels(quality: RecordingQuality, _survey: Survey) -> str:
    """Hot pixels, where they produce a considerable share of all events."""
    events = quality.events
    if not events.num_kept or events.num_hot_events < HOT * events.num_kept:
        return ""
    shown = ", ".join(f"({hot.x}, {hot.y}) {hot.rate_hz:,.0f} Hz" for hot in events.hottest[:3])
    pixels = counted(events.num_hot_pixels, "pixel")
    share = events.num_hot_events / events.num_kept
    verb = "produces" if events.num_hot_pixels == 1 else "produce"
    return f"{pixels} {verb} {share:.1%}; {shown}"


def unknown_classes(quality: RecordingQuality, survey: Survey) -> str:
    """Boxes with class ids that the dataset does not have."""
    labels = quality.labels
    if labels is None:
        return ""
    known = range(len(survey.dataset.class_names))
    unknown = sorted(set(labels.boxes_of_class) - set(known))
    if not unknown:
        return ""
    num_known = sum(labels.boxes_of_class.get(class_id, 0) for class_id in known)
    shown = ", ".join(str(class_id) for class_id in unknown[:8])
    return f"{share_text(labels.num_boxes - num_known, labels.num_boxes, 'boxes')}: ids {shown}"


def cut_off(quality: RecordingQuality, _survey: Survey) -> str:
    """Bytes of an incomplete record at the end of the file."""
    num_bytes = quality.num_bytes_ignored
    return f"the last {num_bytes:,} bytes are an incomplete record" if num_bytes else ""


def other_unit(quality: RecordingQuality, _survey: Survey) -> str:
    """Timestamps that are probably not in microseconds."""
    events = quality.events
    unit = likely_unit(events, quality.height * quality.width)
    if unit is None:
        return ""
    span_s = events.duration_us / 1e6
    return (
        f"{events.num_kept:,} events in {span_s:,.6g} s, which no camera records; "
        f"in {unit} it would be {span_s * UNITS_US[unit]:,.6g} s"
    )


def not_labelled(quality: RecordingQuality, survey: Survey) -> str:
    """Recordings without a label file, where other recordings have one."""
    missing = quality.labels is None and not quality.label_failure
    return "no label file" if missing and survey.has_labels else ""


def no_boxes(quality: RecordingQuality, _survey: Survey) -> str:
    """Label files without boxes."""
    empty = quality.labels is not None and not quality.labels.num_boxes
    return "the label file contains no boxes" if empty else ""


def duplicates(quality: RecordingQuality, survey: Survey) -> str:
    """Boxes that occur twice."""
    text = share_of_boxes(lambda labels: labels.num_duplicate)(quality, survey)
    if not text or quality.labels is None:
        return ""
    return f"{text}, {quality.labels.num_overlapping:,} of them overlap the other box"
