"""Which detections are right, by recording: average precision is computed from these alone."""

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.evaluation.curves import Outcome
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.operating_point import count_at_operating_point
from etram_pipeline.evaluation.protocol import Protocol

MOST_IOUS = 64
"""Most IoU thresholds of a protocol whose matches can be kept; each takes a bit."""

_FORMAT = 1
_ROWS = ("recordings", "right", "uncounted")
_DAMAGED = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zlib.error),
    *(RuntimeError, MemoryError, zipfile.BadZipFile),  # of damaged sizes and methods
)

Rows = tuple[UInt[np.ndarray, " D"], UInt[np.ndarray, " D"], UInt[np.ndarray, " D"]]
"""Recording of each detection, and bits of the IoU thresholds at which it is right, and at which
it is neither right nor wrong."""


@dataclass(frozen=True)
class Rankings:
    """The detections that average precision depends on, best first, ranking by ranking.

    There is one ranking of each class and range of areas, and, if the protocol ignores classes,
    one more of all classes together and each range. Ranges are all areas, then those of the
    protocol. False detections after the last right one of a ranking are left out.

    Attributes:
        starts: First row of each ranking, class by class and range by range; then the number of
            rows.
        rows: The rows of all rankings.
        num_labels: Labels to find in each recording, by class and range of areas.
    """

    starts: Int64[np.ndarray, " G1"]
    rows: Rows
    num_labels: Int64[np.ndarray, "K A R"]

    def __iter__(self) -> Iterator[Rows]:
        """The rows of each ranking."""
        recordings, right, uncounted = self.rows
        return (
            (recordings[start:stop], right[start:stop], uncounted[start:stop])
            for start, stop in pairwise(self.starts.tolist())
        )


@dataclass(frozen=True)
class Matches:
    """What the detections of one split found under one protocol.

    Attributes:
        protocol: How detections and labels were compared.
        recordings: Recordings compared.
        class_names: Classes that count.
        ground_truth: Fingerprint of the labels that count.
        rankings: What the values of each metric are found from, by the start of their names, such
            as `mask_`.
        operating: Number of right detections, of detections and of labels at the operating point:
            of all classes, then of each class, by recording; None without an operating point.
        split: Split that the recordings are of.
    """

    protocol: Protocol
    recordings: tuple[str, ...]
    class_names: tuple[str, ...]
    ground_truth: str
    rankings: Mapping[str, Rankings]
    operating: Int64[np.ndarray, "K1 R 3"] | None = None
    split: str = "test"


def find_matches(evidence: Evidence, operating_scores: OperatingScores | None) -> Matches:
    """Matches of the recordings that were compared, at given operating scores if there are any."""
    rankings = {
        prefix: found
        for metric in evidence.protocol.metrics
        for prefix, found in metric.rank(evidence).items()
    }
    return Matches(
        protocol=evidence.protocol,
        recordings=evidence.recordings,
        class_names=evidence.class_names,
        ground_truth=evidence.ground_truth,
        rankings=rankings,
        operating=None
        if operating_scores is None
        else count_at_operating_point(evidence, operating_scores),
    )


def gather_rankings(outcomes: Iterable[Outcome], evidence: Evidence) -> Rankings:
    """Rankings of outcomes, which come class by class, and range of areas by range."""
    recording_of_frame, num_recordings = evidence.frames.recordings, len(evidence.recordings)
    parts, num_labels = [], []
    for outcome in outcomes:
        parts.append(_rows(outcome, recording_of_frame, num_recordings))
        labelled = recording_of_frame[outcome.label_frames]
        num_labels.append(np.bincount(labelled, minlength=num_recordings))
    recordings, right, uncounted = (np.concatenate(column) for column in zip(*parts, strict=True))
    shape = (-1, 1 + len(evidence.protocol.area_ranges), num_recordings)
    return Rankings(
        starts=np.cumsum([0, *(len(part[0]) for part in parts)]),
        rows=(recordings, right, uncounted),
        num_labels=np.array(num_labels, np.int64).reshape(shape),
    )


def _rows(
    outcome: Outcome, recording_of_frame: Int64[np.ndarray, " F"], num_recordings: int
) -> Rows:
    """The detections of an outcome that can change precision at a right detection."""
    is_right_somewhere = outcome.is_right.any(axis=0)
    last = int(np.flatnonzero(is_right_somewhere).max(initial=-1))
    kept = np.flatnonzero(outcome.is_counted[:, : last + 1].any(axis=0))
    recordings = recording_of_frame[outcome.frames[kept]]
    return (
        recordings.astype(np.min_scalar_type(max(num_recordings - 1, 0))),
        _bits(outcome.is_right[:, kept]),
        _bits(~outcome.is_counted[:, kept]),
    )


def _bits(flags: Bool[np.ndarray, "T D"]) -> UInt[np.ndarray, " D"]:
    """The flags of each column as the bits of a number, the first of them lowest."""
    width = next(width for width in (8, 16, 32, 64) if len(flags) <= width)
    bits = np.zeros(flags.shape[1], f"u{width // 8}")
    for number, of_iou in enumerate(flags):
        bits |= of_iou.astype(bits.dtype) << bits.dtype.type(number)
    return bits


def write_matches(matches: Matches, path: Path) -> None:
    """Write matches to one compressed file, completely or not at all."""
    head = {
        "format": _FORMAT,
        "protocol": matches.protocol.model_dump(mode="json"),
        "split": matches.split,
        "recordings": matches.recordings,
        "class_names": matches.class_names,
        "ground_truth": matches.ground_truth,
        "metrics": list(matches.rankings),
    }
    arrays: dict[str, np.ndarray] = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    if matches.operating is not None:
        arrays["operating"] = matches.operating
    for number, rankings in enumerate(matches.rankings.values()):
        arrays[f"{number}_starts"], arrays[f"{number}_num_labels"] = (
            rankings.starts,
            rankings.num_labels,
        )
        arrays |= {
            f"{number}_{name}": column for name, column in zip(_ROWS, rankings.rows, strict=True)
        }
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # an array is no flag


def read_matches(path: Path) -> Matches:
    """Matches that `write_matches` wrote.

    Raises:
        StoreError: If the file does not exist, is damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            found = _content(head, arrays) if head["format"] == _FORMAT else None
    except FileNotFoundError as error:
        raise StoreError(f"{path} does not exist: run `kedro run --pipelines evaluate`") from error
    except _DAMAGED as error:
        raise StoreError(
            f"{path} is damaged or no file of matches: run `kedro run --pipelines evaluate`"
        ) from error
    if found is None:
        raise StoreError(
            f"{path} was written by another version of the project: evaluate the detections again "
            "with `kedro run --pipelines evaluate`"
        )
    return found


def _content(head: Mapping[str, Any], arrays: Mapping[str, Any]) -> Matches:
    found = Matches(
        protocol=Protocol.model_validate(head["protocol"]),
        split=head["split"],
        recordings=tuple(head["recordings"]),
        class_names=tuple(head["class_names"]),
        ground_truth=head["ground_truth"],
        rankings={
            prefix: Rankings(
                arrays[f"{number}_starts"],
                tuple(arrays[f"{number}_{name}"] for name in _ROWS),
                arrays[f"{number}_num_labels"],
            )
            for number, prefix in enumerate(head["metrics"])
        },
        operating=arrays.get("operating"),
    )
    if not (_is_sound(found) and all(_fit(each, found) for each in found.rankings.values())):
        raise ValueError("its parts contradict each other")
    return found


def _is_sound(matches: Matches) -> bool:
    """Whether names are text, and counts at the operating point are of these names."""
    names = (matches.split, matches.ground_truth, *matches.recordings, *matches.class_names)
    operating = matches.operating
    return all(isinstance(name, str) for name in names) and (
        operating is None
        or (operating.dtype.kind, *operating.shape)
        == ("i", 1 + len(matches.class_names), len(matches.recordings), 3)
    )


def _fit(rankings: Rankings, matches: Matches) -> bool:
    """Whether every row is of a recording and a ranking: compiled loops do not check this."""
    starts, labels, rows = rankings.starts, rankings.num_labels, rankings.rows
    num_classes = len(matches.class_names) + (not matches.protocol.class_aware)
    shape = (num_classes, 1 + len(matches.protocol.area_ranges), len(matches.recordings))
    if labels.shape != shape or starts.shape != (shape[0] * shape[1] + 1,):
        return False
    kinds = [starts.dtype.kind, labels.dtype.kind, *(row.dtype.kind for row in rows)]
    return (
        kinds == ["i", "i", "u", "u", "u"]
        and all(row.shape == (starts[-1],) for row in rows)
        and starts[0] == 0
        and bool((np.diff(starts) >= 0).all() and (labels >= 0).all())
        and int(rows[0].max(initial=0)) < max(shape[2], 1)
    )
