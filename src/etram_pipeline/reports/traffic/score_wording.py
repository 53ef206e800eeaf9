"""What scores of tracks and errors of counts mean, in words."""

from collections.abc import Iterator

from etram_pipeline.core.counts import counted
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.tracks.protocol import STATES, TrackProtocol
from etram_pipeline.evaluation.tracks.result import TrackMetrics


def track_facts(metrics: TrackMetrics) -> tuple[str, ...]:
    """Every choice of a protocol that changes its scores, one sentence each, and the intervals."""
    parts = (_intervals, _classes, _moments, _ignored, _overlaps)
    return tuple(fact for part in parts for fact in part(metrics))


def count_facts(metrics: CountMetrics) -> tuple[str, ...]:
    """What counts are compared with, and what the intervals mean."""
    protocol = metrics.protocol
    level = f"{100 * protocol.level:g} %"
    if metrics.no_interval:
        interval = f"No interval of the error: {metrics.no_interval}."
    else:
        units = counted(len(metrics.units), metrics.unit)
        interval = f"The range of the error is a {level} interval over {units}."
    return (
        "True crossings are those of the labelled tracks, found by the same rules as the counted "
        "ones.",
        "A counted crossing is right if a true one of the same line and direction lies within "
        f"{protocol.within_s:g} s of it, one to one. Its class may be wrong: see the last column.",
        "The error is the number counted minus the true number, in percent of the true number.",
        interval,
        f"Ranges of shares are Wilson's {level} intervals.",
    )


def _intervals(metrics: TrackMetrics) -> Iterator[str]:
    if metrics.intervals:
        yield (
            f"Ranges are {100 * metrics.interval_level:g} % intervals over "
            f"{counted(metrics.num_recordings, 'recording')}: what other recordings of the same "
            "kind may give."
        )
    elif metrics.no_intervals:
        yield f"No intervals: {metrics.no_intervals}."


def _classes(metrics: TrackMetrics) -> Iterator[str]:
    protocol = metrics.protocol
    if protocol.class_aware:
        yield "Each class is compared for itself; values of all are means over classes with labels."
    else:
        yield "All classes are compared as one: what the tracker alone is worth."
    if protocol.track_class == "moment":
        yield "The class of a box is that of its last detection."
    else:
        yield "The class of a box is that of its whole track."


def _moments(metrics: TrackMetrics) -> Iterator[str]:
    protocol = metrics.protocol
    yield f"Tracks are compared at {counted(metrics.num_moments, 'moment')}" + (
        ", also at those that the labels leave empty."
        if protocol.moments == "grid"
        else " with labels; what begins and ends between them is not seen."
    )
    if protocol.interpolate_us:
        gap_ms = protocol.interpolate_us / 1000
        yield f"Boxes of a track up to {gap_ms:g} ms apart are joined by straight lines."
    left_out = [state for state in STATES if state not in protocol.states]
    if left_out:
        yield f"Boxes that are {' or '.join(left_out)} do not count."


def _ignored(metrics: TrackMetrics) -> Iterator[str]:
    protocol: TrackProtocol = metrics.protocol
    limits = []
    if protocol.min_side_px:
        limits.append(f"a side under {protocol.min_side_px:g} px")
    if protocol.min_diagonal_px:
        limits.append(f"a diagonal under {protocol.min_diagonal_px:g} px")
    if protocol.least_speed:
        limits.append(f"a speed under {protocol.least_speed:g} box sizes per second")
    if limits:
        yield f"Labels with {' or '.join(limits)} are ignored, and so are tracks matched to them."
    if protocol.start_us >= 0:
        yield f"The first {protocol.start_us / 1e6:g} s of each recording do not count."


def _overlaps(metrics: TrackMetrics) -> Iterator[str]:
    protocol = metrics.protocol
    yield (
        f"IDF1, MOTA and switches need an overlap of {protocol.match_iou:g}; HOTA, DetA and AssA "
        f"are means over {counted(len(protocol.iou_thresholds), 'overlap')}."
    )
