"""Which detections are right, by recording: average precision is computed from these alone."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.operating_point import count_at_operating_point
from etram_pipeline.evaluation.outcomes import Compared, Matched
from etram_pipeline.evaluation.protocol import Protocol

_FORMAT = 1
_ROWS = ("recordings", "right", "uncounted", "tied")
_DAMAGED = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zlib.error),
    *(RuntimeError, MemoryError, zipfile.BadZipFile),  # of damaged sizes and methods
)

Rows = tuple[
    UInt[np.ndarray, " D"],
    UInt[np.ndarray, " D"],
    UInt[np.ndarray, " D"],
    UInt[np.ndarray, " D"],
]
"""Recording of each detection, bits of the IoU thresholds at which it is right, and at which it is
neither right nor wrong, and 1 for a detection that is not told apart from the one before, else 0.
"""


@dataclass(frozen=True)
class Rankings:
    """The detections that average precision depends on, best first, ranking by ranking.

    There is one ranking of each class and range of areas, and, if the protocol ignores classes,
    one more of all classes together and each range. Ranges are all areas, then those of the
    protocol. False detections with a lower score than the last right one are left out.

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
        recordings, right, uncounted, tied = self.rows
        return (
            (recordings[some], right[some], uncounted[some], tied[some])
            for some in map(slice, self.starts[:-1].tolist(), self.starts[1:].tolist())
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


def gather_rankings(compared: Sequence[Compared], num_recordings: int) -> Rankings:
    """Rankings of detections that were compared with labels, class by class and range by range."""
    narrow = np.min_scalar_type(max(num_recordings - 1, 0))
    parts, num_labels = [], []
    for each in compared:
        recordings, labels, (matched,) = each.frames.recordings, each.frames.labels, each.parts
        for class_id in range(each.num_classes):
            places = np.flatnonzero(matched.class_ids == class_id)
            of_class = labels.class_ids == class_id
            for area, counts in enumerate(matched.counted_labels.T):
                parts.append(_rows(matched, places, area, recordings.astype(narrow)))
                frames = labels.frames[of_class & counts]
                num_labels.append(np.bincount(recordings[frames], minlength=num_recordings))
    recording, right, uncounted, tied = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    num_areas = compared[0].parts[0].outside.shape[1]
    return Rankings(
        starts=np.cumsum([0, *(len(part[0]) for part in parts)]),
        rows=(recording, right, uncounted, tied),
        num_labels=np.array(num_labels, np.int64).reshape(-1, num_areas, num_recordings),
    )


def _rows(
    matched: Matched,
    places: Int64[np.ndarray, " N"],
    area: int,
    recordings: UInt[np.ndarray, " F"],
) -> Rows:
    """The detections of a class that can change precision at a right detection."""
    right, uncounted = matched.bits_of(places, area)
    last = int(np.flatnonzero(right).max(initial=-1))
    steps = matched.steps[places]
    # What is not told apart from the last right detection counts with it.
    stop = np.searchsorted(steps, steps[last], side="right") if last >= 0 else 0
    kept = np.flatnonzero(uncounted[:stop] != matched.every)
    width = next(bits for bits in (8, 16, 32, 64) if len(matched.min_ious) <= bits)
    return (
        recordings[matched.frames[places[kept]]],
        right[kept].astype(f"u{width // 8}"),
        uncounted[kept].astype(f"u{width // 8}"),
        (np.diff(steps[kept], prepend=-1) == 0).astype(np.uint8),
    )


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
                _read_rows(arrays, number),
                arrays[f"{number}_num_labels"],
            )
            for number, prefix in enumerate(head["metrics"])
        },
        operating=arrays.get("operating"),
    )
    if not (_is_sound(found) and all(_fit(each, found) for each in found.rankings.values())):
        raise ValueError("its parts contradict each other")
    return found


def _read_rows(arrays: Mapping[str, Any], number: int) -> Rows:
    recordings, right, uncounted = (arrays[f"{number}_{name}"] for name in _ROWS[:-1])
    # Earlier versions told all detections apart.
    tied = arrays.get(f"{number}_{_ROWS[-1]}", np.zeros(len(recordings), np.uint8))
    return recordings, right, uncounted, tied


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
        kinds == ["i", "i", "u", "u", "u", "u"]
        and all(row.shape == (starts[-1],) for row in rows)
        and starts[0] == 0
        and bool((np.diff(starts) >= 0).all() and (labels >= 0).all())
        and int(rows[0].max(initial=0)) < max(shape[2], 1)
    )
