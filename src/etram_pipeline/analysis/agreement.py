"""How often labels and tracks agree, as what a single case is compared with."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping

import numpy as np
from jaxtyping import Int64

from etram_pipeline.analysis.label_pairs import LabelPairs

NOT_FOUND = -1


class Agreement:
    """Shares of the labels and tracks of some recordings, without those of the case itself.

    A case is all labels of an object, or all rows of a track, of one recording. Without it, a class
    with few labels is not judged by the labels that are in doubt.
    """

    def __init__(self, pairs: Mapping[str, LabelPairs]) -> None:
        """Count the labels and tracks of all recordings."""
        self._all: Counter[Hashable] = Counter()
        self._own: Counter[Hashable] = Counter()
        self._pairs = pairs
        ious: dict[int, list[np.ndarray]] = defaultdict(list)
        for key, each in pairs.items():
            self._count(key, each)
            found, labelled = found_classes(each), each.labels["class_id"].astype(np.int64)
            for class_id in np.unique(labelled).tolist():
                ious[class_id].append(each.iou[(labelled == class_id) & (found == class_id)])
        self._ious = {class_id: np.sort(np.concatenate(parts)) for class_id, parts in ious.items()}

    def labelled(self, recording: str, track: int, class_id: int) -> float:
        """Share of the rows of the other tracks of a class that are labelled."""
        case = recording, "track", track
        return self._share(("labelled", class_id), ("track", class_id), case, 1)

    def found(self, recording: str, thing: int, class_id: int, size: int) -> float:
        """Share of the other labels of a class and size that are found as whatever."""
        case = recording, "object", thing
        return self._share(("found", class_id, size), ("label", class_id, size), case, 1)

    def confused(self, recording: str, thing: int, class_id: int, found: int) -> float:
        """Share of the other labels of a class that are found as another class."""
        case = recording, "object", thing
        return self._share(("found as", class_id, found), ("found at all", class_id), case, 0)

    def placed_better(self, recording: str, thing: int, class_id: int, iou: float) -> float:
        """Share of the other labels found as their class that overlap by more than `iou`."""
        pairs = self._pairs[recording]
        own = pairs.iou[(pairs.objects == thing) & (found_classes(pairs) == class_id)]
        others = self._ious[class_id]
        better = len(others) - np.searchsorted(others, iou, side="right") - (own > iou).sum()
        return float((better + 1) / (len(others) - len(own) + 1))

    def _count(self, key: str, pairs: LabelPairs) -> None:
        classes, sizes = pairs.labels["class_id"].tolist(), sizes_of(pairs.labels).tolist()
        found = found_classes(pairs).tolist()
        for thing, own, size, other in zip(
            pairs.objects.tolist(), classes, sizes, found, strict=True
        ):
            case = key, "object", thing
            self._add(("label", own, size), case)
            if other != NOT_FOUND:
                self._add(("found", own, size), case)
                self._add(("found at all", own), case)
                self._add(("found as", own, other), case)
        tracks = pairs.tracks
        for track, own, label in zip(
            *(tracks[name].tolist() for name in ("track_id", "class_id")),
            pairs.label_of_track.tolist(),
            strict=True,
        ):
            self._add(("track", own), (key, "track", track))
            if label != NOT_FOUND:
                self._add(("labelled", own), (key, "track", track))

    def _add(self, what: Hashable, case: Hashable) -> None:
        self._all[what] += 1
        self._own[what, case] += 1

    def _share(self, what: Hashable, of: Hashable, case: Hashable, prior: int) -> float:
        """Share of the others, as if there were one more that is `prior`."""
        some = self._all[what] - self._own[what, case]
        total = self._all[of] - self._own[of, case]
        return float((some + prior) / (total + 1))


def found_classes(pairs: LabelPairs) -> Int64[np.ndarray, " L"]:
    """Class that each label is found as; `NOT_FOUND` for none."""
    found = np.full(len(pairs.labels), NOT_FOUND, np.int64)
    rows = pairs.track_of_label >= 0
    found[rows] = pairs.tracks["class_id"][pairs.track_of_label[rows]]
    return found


def sizes_of(boxes: np.ndarray) -> Int64[np.ndarray, " N"]:
    """Side of each box of a table in powers of two px, rounded down."""
    area = np.maximum(boxes["w"].astype(np.float64) * boxes["h"], 1)
    sizes: Int64[np.ndarray, " N"] = np.floor(np.log2(area) / 2).astype(np.int64)
    return sizes
