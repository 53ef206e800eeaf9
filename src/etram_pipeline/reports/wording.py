"""Protocols and numbers in words, for readers who do not know the names of the fields."""

from collections.abc import Iterator

from etram_pipeline.core.counts import counted
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Interval, Metrics

ABSENT = "−"  # noqa: RUF001  # a minus sign, as wide as a digit
"""A value without ground truth, beside its number of labels."""

NO_LABELS = f"{ABSENT} (0 labels)"
"""A value without ground truth where its number of labels is not shown otherwise."""

_LARGE = 1000
_SIZES = {"S": "small", "M": "medium", "L": "large"}
_UNBOUNDED_PX = 10_000  # no sensor is as wide, so a range up to here has no upper end


def number_text(value: object) -> str:
    """A number as tables show it: counts with separators, shares with three decimals."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < _LARGE else f"{value:,.0f}"
    return str(value)


def value_text(value: float, digits: int = 3) -> str:
    """Value of a metric in running text; without ground truth with its number of labels."""
    return NO_LABELS if value == NO_GROUND_TRUTH else f"{value:.{digits}f}"


def interval_text(interval: Interval | None, digits: int = 2) -> str:
    """Ends of an interval, as they stand beside its value; empty without one."""
    if interval is None:
        return ""
    return f"{interval.low:.{digits}f}\N{EN DASH}{interval.high:.{digits}f}"


def interval_fact(metrics: Metrics) -> str:
    """What the intervals of the values mean, or why there are none, in one or two sentences."""
    if not metrics.intervals:
        reason = metrics.no_intervals
        return f"No intervals: {reason}." if reason else ""
    return (
        f"Ranges beside the values are {100 * metrics.interval_level:g} % intervals over "
        f"{counted(metrics.num_recordings, 'recording')}: what other recordings of the same kind "
        "may give. They do not include how much a value varies with the seed of the training."
    )


def size_name(size: str) -> str:
    """Word for the name of an area range."""
    return _SIZES.get(size, size)


def area_text(protocol: Protocol, size: str) -> str:
    """Extent of an area range, as the side of a square: `32² to 96² px`."""
    low, high = (round(area**0.5) for area in protocol.area_ranges[size])
    if not low:
        return f"up to {high}² px"
    return f"over {low}² px" if high >= _UNBOUNDED_PX else f"{low}² to {high}² px"


def protocol_facts(protocol: Protocol) -> tuple[str, ...]:
    """Every choice of a protocol that changes its metrics, one sentence each."""
    return tuple(
        sentence
        for facts in (_class_facts, _box_facts, _time_facts, _score_facts)
        for sentence in facts(protocol)
    ) + tuple(sentence for metric in protocol.metrics for sentence in metric.facts(protocol))


def operating_facts(metrics: Metrics) -> tuple[str, ...]:
    """What the values at the operating point mean, or why there are none; one sentence each."""
    point = metrics.operating_point
    if point is None:
        reason = metrics.no_operating_point or "it was not measured"
        return (f"{reason[:1].upper()}{reason[1:]}.",)
    facts = (
        "Only detections with at least the score count. Each score has the highest F1 in the "
        "validation recordings, of its class or, in the last row, of all classes together.",
        "Precision is the share of these detections that are right, recall the share of labels "
        f"that they find at an IoU of {point.iou:g}, and F1 their harmonic mean.",
    )
    if not point.at_common_score:
        return facts
    return (
        *facts,
        f"No detection of {', '.join(point.at_common_score)} is right in the validation "
        "recordings: the score of all classes is used instead.",
    )


def _class_facts(protocol: Protocol) -> Iterator[str]:
    yield (
        "Class-aware: a detection is right only if its class is right, too."
        if protocol.class_aware
        else "Class-agnostic: overall metrics ignore classes, so a bus detected as a car is right."
    )
    if protocol.class_names:
        yield f"Classes: {', '.join(protocol.class_names)}."
    for group, members in protocol.class_groups.items():
        if members != (group,):
            yield f"Class {group} gathers {', '.join(members)}."
    if protocol.classes_by == "id":
        yield (
            f"Only class ids 0 to {len(protocol.class_names or ()) - 1} count, whatever they mean "
            "in these labels; all other ids are ignored."
        )


def _box_facts(protocol: Protocol) -> Iterator[str]:
    limits = []
    if protocol.min_side_px:
        limits.append(f"a side under {protocol.min_side_px:g} px")
    if protocol.min_diagonal_px:
        limits.append(f"a diagonal under {protocol.min_diagonal_px:g} px")
    yield (
        f"Boxes with {' or '.join(limits)} do not count." if limits else "Boxes of any size count."
    )
    if protocol.pixel_scale != 1:
        yield f"Sizes are measured at {protocol.pixel_scale:g} times the sensor's resolution."


def _time_facts(protocol: Protocol) -> Iterator[str]:
    yield from _delay_facts(protocol) if protocol.latencies_us else _moment_facts(protocol)
    if protocol.start_us >= 0:
        yield f"The first {protocol.start_us / 1e6:g} s of each recording do not count."


def _delay_facts(protocol: Protocol) -> Iterator[str]:
    mean_ms = sum(protocol.latencies_us) / len(protocol.latencies_us) / 1000
    yield (
        "A label is compared with the newest boxes that a viewer has at its time, if a window "
        f"takes {mean_ms:.3g} ms to compute and the newest window is always computed next."
    )


def _moment_facts(protocol: Protocol) -> Iterator[str]:
    tolerance = f"{protocol.tolerance_us / 1000:g} ms"
    yield (
        f"A label is compared with the detections of the nearest moment, within {tolerance}."
        if protocol.moments == "nearest"
        else f"A label is compared with every detection within {tolerance} of it."
    )
    yield {
        "labelled": "Only detections at labelled moments are compared; those at other times are "
        "ignored.",
        "near": "Detections near no labelled moment are ignored.",
        "all": "Detections far from every labelled moment count as false.",
    }[protocol.frames]


def _score_facts(protocol: Protocol) -> Iterator[str]:
    yield (
        "Detections are ranked by joint confidence, objectness times class probability."
        if protocol.ranking == "joint"
        else "Detections are ranked by class probability alone."
    )
