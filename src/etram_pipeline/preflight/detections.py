"""Checks that detections of another program fit the labels they are compared with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.counts import counted_of
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable, box_column
from etram_pipeline.preflight.run import Notice, Run, of_splits
from etram_pipeline.stores.label_store import LabelStore

_LEAST_BOXES = 50
_LARGEST_SHARE = 0.6
"""Share of the labels' extent that all detections keep to if they are of a smaller picture."""

_MOST_LACKING = 0.1
"""Share of labelled moments without detection above which this is mentioned."""


def check(run: Run) -> Iterator[Notice]:
    """Detections from elsewhere at other times, or in px of another size, than the labels."""
    if "detections_images" in run.given and "detections" not in run.given:
        yield Notice(
            "`detections_images` numbers the images of detections: add `detections=<path>`, or "
            "drop it"
        )
    detections, labels = run.detections, run.labelled_frames
    if "metrics" not in run.makes or detections is None or labels is None:
        return
    if detections.origin is None:
        return
    settings = run.parameter("evaluate", EvaluateSettings.model_validate)
    scored = of_splits(frozenset(labels) & frozenset(detections), (settings.split,))
    if not any(len(detections[key]) for key in scored):
        return
    compared = _Compared.of(sorted(scored), labels, detections)
    where = f"{detections.origin.path}:"
    # With a latency, labels are compared with detections of any earlier time.
    timely = [protocol for protocol in settings.protocols if protocol.latency_ms is None]
    yield from _times(compared, where, timely)
    yield from _sizes(compared, where)


@dataclass(frozen=True)
class _Compared:
    """Labels and detections of the evaluated recordings.

    Attributes:
        labels: Labels of all recordings.
        detections: Detections of all recordings.
        distances_us: Time from each detection to the nearest label of its recording.
        num_moments: Labelled moments of all recordings.
        num_lacking: Those at which there is no detection.
    """

    labels: LabelTable
    detections: DetectionTable
    distances_us: Int64[np.ndarray, " N"]
    num_moments: int
    num_lacking: int

    @classmethod
    def of(cls, keys: list[str], labels: LabelStore, detections: DetectionStore) -> "_Compared":
        of_labels = [labels[key].labels for key in keys]
        of_detections = [detections[key] for key in keys]
        moments = [np.unique(table["t"].astype(np.int64)) for table in of_labels]
        times = [table["t"].astype(np.int64) for table in of_detections]
        pairs = list(zip(times, moments, strict=True))
        return cls(
            np.concatenate(of_labels),
            np.concatenate(of_detections),
            np.concatenate([_distances_us(*pair) for pair in pairs]),
            sum(map(len, moments)),
            sum(int((~np.isin(of_label, found)).sum()) for found, of_label in pairs),
        )


def _distances_us(
    times_us: Int64[np.ndarray, " N"], moments_us: Int64[np.ndarray, " M"]
) -> Int64[np.ndarray, " N"]:
    if len(moments_us) == 0:
        return np.zeros(0, np.int64)
    after = np.searchsorted(moments_us, times_us).clip(1, max(len(moments_us) - 1, 1))
    around = [moments_us[(after - 1).clip(0)], moments_us[after.clip(max=len(moments_us) - 1)]]
    nearest: Int64[np.ndarray, " N"] = np.min([abs(times_us - each) for each in around], axis=0)
    return nearest


def _times(compared: _Compared, where: str, protocols: Sequence[Protocol]) -> Iterator[Notice]:
    distances = compared.distances_us
    if len(distances) == 0 or not protocols:
        return
    found = f"the nearest label is {np.median(distances):.0f} us away in the median"
    for protocol in protocols:
        most_us = 0 if protocol.frames == "labelled" else protocol.tolerance_us
        if distances.min() <= most_us:
            continue
        ranges = " and ".join(
            f"{what} from {table['t'].min()} to {table['t'].max()} us"
            for what, table in (("detections", compared.detections), ("labels", compared.labels))
        )
        near = (
            "; for a detector that does not run at the times of the labels, use `frames: near`, "
            f"such as {{like: {protocol.name}, name: {protocol.name}_near, frames: near}}"
            if protocol.frames == "labelled" and distances.min() <= protocol.tolerance_us
            else "; give times in microseconds since the same moment as the labels"
        )
        yield Notice(
            f"{where} no detection would be compared by {protocol.name}: none is "
            f"{'at' if most_us == 0 else f'within {most_us} us of'} the time of a label; {found} "
            f"({ranges}){near}"
        )
        return
    if compared.num_lacking > _MOST_LACKING * compared.num_moments:
        yield _warning(
            f"{where} no detection is at "
            f"{counted_of(compared.num_lacking, compared.num_moments, 'labelled moment')}: all "
            "labels there count as missed, unless the protocol has `frames: near`"
        )


def _sizes(compared: _Compared, where: str) -> Iterator[Notice]:
    labels, detections = compared.labels, compared.detections
    if min(len(labels), len(detections)) < _LEAST_BOXES:
        return
    of_labels, of_detections = _extent_px(labels), _extent_px(detections)
    if (of_detections < _LARGEST_SHARE * of_labels).all():
        yield _warning(
            f"{where} detections extend to x = {of_detections[0]:.0f}, y = {of_detections[1]:.0f}, "
            f"but labels to x = {of_labels[0]:.0f}, y = {of_labels[1]:.0f}: they may be in px of a "
            "smaller picture; scale them to px of the sensor, or give the size of the pictures in "
            "`detections_images`"
        )


def _extent_px(table: LabelTable) -> np.ndarray:
    """Right and bottom side that nearly no box exceeds."""
    x, y, w, h = (box_column(table, name) for name in ("x", "y", "w", "h"))
    extent: np.ndarray = np.percentile(np.stack([x + w, y + h]), 99, axis=1)
    return extent


def _warning(message: str) -> Notice:
    return Notice(message, is_fault=False)
