"""The values of an evaluation for many draws of its recordings."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from etram_pipeline.core.machine import num_cores
from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.evaluation.curves import RECALLS
from etram_pipeline.evaluation.kernels import add_precision, count_rows
from etram_pipeline.evaluation.matches import Matches, Rankings, Rows
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import OPERATING

Name = tuple[str, ...]
"""Parts of the name of a value: `("AP",)`, `("car", "AP")`, `("operating", "F1")`."""

Weights = Int32[np.ndarray, "R N"]
"""How often each recording is drawn, draw by draw."""

_DRAWS_AT_ONCE = 64
_SEED = 0


@dataclass(frozen=True)
class Resampled:
    """A value for the recordings as they are, then for every draw of them; NaN without labels.

    Attributes:
        values: The value as it is, then those of the draws.
        num_labels: Labels that it depends on, by recording.
    """

    values: Float64[np.ndarray, " N"]
    num_labels: Int64[np.ndarray, " R"]

    @property
    def num_recordings(self) -> int:
        """Number of recordings with labels that the value depends on."""
        return int(np.count_nonzero(self.num_labels))


def resample(matches: Matches, rounds: int) -> dict[Name, Resampled]:
    """Every value that can be found from matches, for draws of as many recordings as there are.

    These are the values of all recordings, and the headline values of each class and of the
    recordings by day, by night and in twilight; each of these groups is drawn by itself. Draws
    depend on the recordings alone, so they are the same for all detectors.

    Args:
        matches: Of the detections of one detector.
        rounds: Number of draws.
    """
    recordings = matches.recordings
    groups = recordings_by_lighting(matches.recordings)
    headline = {value.name for value in matches.protocol.shown("headline")}
    # A class may have the name of a group of recordings, as in MLflow's names.
    classes = [("class", name) if name in groups else (name,) for name in matches.class_names]
    weights = draw_recordings(recordings, np.ones(len(recordings), bool), rounds)
    values = dict(_of_all_recordings(matches, weights, classes, headline))
    if matches.operating is not None:
        values |= _at_operating_point(matches.operating, weights, classes)
    for group, wanted in groups.items():
        for prefix, rankings in matches.rankings.items():
            found = _Precision.of(
                rankings,
                draw_recordings(recordings, wanted, rounds),
                matches.protocol,
                num_areas=1,
            )
            overall = found.values(found.overall(len(matches.class_names)), prefix)
            values |= {(group, name): each for name, each in overall if name in headline}
    return values


def draw_recordings(
    recordings: Sequence[str], wanted: Bool[np.ndarray, " R"], rounds: int
) -> Weights:
    """The wanted recordings once each, then as many of them drawn with replacement, per round.

    Args:
        recordings: Names of all recordings. Their order does not matter, because they are drawn by
            name.
        wanted: Recordings to draw from.
        rounds: Number of draws.
    """
    order = np.argsort(np.argsort(np.array(recordings, dtype=object)))
    number = int(wanted.sum())
    weights = np.zeros((len(wanted), 1 + rounds), np.int32)
    weights[wanted, 0] = 1
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(number, np.full(number, 1 / number), rounds).T
    weights[wanted, 1:] = drawn[np.argsort(np.argsort(order[wanted]))]
    return weights


def _of_all_recordings(
    matches: Matches, weights: Weights, classes: Sequence[Name], headline: Collection[str]
) -> Iterator[tuple[Name, Resampled]]:
    for prefix, rankings in matches.rankings.items():
        num_areas = 1 + len(matches.protocol.area_ranges)
        found = _Precision.of(rankings, weights, matches.protocol, num_areas)
        for name, each in found.values(found.overall(len(classes)), prefix):
            yield (name,), each
        for row, class_name in enumerate(classes):
            for name, each in found.values(slice(row, row + 1), prefix):
                if name in headline:
                    yield (*class_name, name), each


@dataclass(frozen=True)
class _Precision:
    """Average precision and recall by ranking, IoU threshold and draw; NaN without labels.

    Attributes:
        protocol: How detections and labels were compared.
        precision: Mean of the precision at all recalls.
        recall: Share of labels found.
        num_labels: Labels to find, in all recordings that may be drawn.
    """

    protocol: Protocol
    precision: Float64[np.ndarray, "K A T N"]
    recall: Float64[np.ndarray, "K A T N"]
    num_labels: Int64[np.ndarray, "K A R"]

    @classmethod
    def of(
        cls, rankings: Rankings, weights: Weights, protocol: Protocol, num_areas: int
    ) -> "_Precision":
        """Of the first `num_areas` ranges of areas, for recordings drawn with weights."""
        num_ious = len(protocol.iou_thresholds)
        num_classes, all_areas, num_recordings = rankings.num_labels.shape
        counts = np.zeros((num_classes * all_areas, num_recordings, 1 + 2 * num_ious), np.int64)
        count_rows(rankings.starts, rankings.rows, counts)
        labels = rankings.num_labels[:, :num_areas]
        drawn_labels = labels @ weights.astype(np.int64)
        shape = (num_classes, num_areas, num_ious, weights.shape[1])
        precision, found = np.zeros(shape), np.zeros(shape)

        def fill(class_id: int, area: int, rows: Rows, start: int) -> None:
            draws = slice(start, start + _DRAWS_AT_ONCE)
            some = np.ascontiguousarray(weights[:, draws])
            totals = counts[class_id * all_areas + area].T @ some.astype(np.int64)
            part = np.zeros((num_ious, some.shape[1]))
            num_labels = drawn_labels[class_id, area, draws]
            add_precision(rows, some, totals, num_labels, RECALLS, part)
            precision[class_id, area, :, draws] = part
            found[class_id, area, :, draws] = totals[1 : num_ious + 1]

        with ThreadPoolExecutor(num_cores()) as threads:
            jobs = [
                threads.submit(fill, number // all_areas, number % all_areas, rows, start)
                for number, rows in enumerate(rankings)
                for start in range(0, weights.shape[1], _DRAWS_AT_ONCE)
                if number % all_areas < num_areas
            ]
            for job in jobs:
                job.result()
        with np.errstate(invalid="ignore"):
            some_labels = np.where(drawn_labels > 0, drawn_labels, np.nan)[:, :, None]
            precision = np.where(np.isnan(some_labels), np.nan, precision / len(RECALLS))
            return cls(protocol, precision, found / some_labels, labels * (weights[:, 0] > 0))

    def overall(self, num_classes: int) -> slice:
        """The rankings that give the values of all classes."""
        return slice(num_classes) if self.protocol.class_aware else slice(num_classes, None)

    def values(self, rows: slice, prefix: str) -> Iterator[tuple[str, Resampled]]:
        """Values of some classes, whose mean is taken, by name."""
        protocol = self.protocol
        yield f"{prefix}AP", self._mean(self.precision, rows, 0)
        for percent in (50, 75):
            iou = protocol.index_of(percent / 100)
            if iou is not None:
                yield f"{prefix}AP_{percent}", self._mean(self.precision[:, :, [iou]], rows, 0)
        yield f"{prefix}AR_{protocol.max_detections[-1]}", self._mean(self.recall, rows, 0)
        for area, size in enumerate(protocol.area_ranges, start=1):
            if area < self.precision.shape[1]:
                yield f"{prefix}AP_{size}", self._mean(self.precision, rows, area)
                yield f"{prefix}AR_{size}", self._mean(self.recall, rows, area)

    def _mean(self, values: Float64[np.ndarray, "K A T N"], rows: slice, area: int) -> Resampled:
        """Mean over IoU thresholds and the classes that have labels."""
        some = values[rows, area]
        is_known = ~np.isnan(some)
        with np.errstate(invalid="ignore"):
            means = np.where(is_known, some, 0).sum((0, 1)) / is_known.sum((0, 1))
        num_labels = self.num_labels[rows, area].sum(0)
        return Resampled(means, num_labels)


def _at_operating_point(
    operating: Int64[np.ndarray, "K1 R 3"], weights: Weights, classes: Sequence[Name]
) -> dict[Name, Resampled]:
    overall, *of_classes = (_at_score(counts, weights) for counts in operating)
    values = {(OPERATING, name): each for name, each in overall.items()}
    return values | {
        (*class_name, OPERATING, "F1"): of_class["F1"]
        for class_name, of_class in zip(classes, of_classes, strict=True)
    }


def _at_score(counts: Int64[np.ndarray, "R 3"], weights: Weights) -> dict[str, Resampled]:
    """Precision, recall and F1 by name."""
    num_right, num_detections, num_labels = counts.T @ weights.astype(np.int64)
    labels = np.where(num_labels > 0, num_labels, np.nan)
    values = {
        "precision": num_right / np.maximum(num_detections, 1) + 0 * labels,
        "recall": num_right / labels,
        "F1": 2 * num_right / (num_detections + labels),
    }
    return {name: Resampled(value, counts[:, 2]) for name, value in values.items()}
