"""Sums of one recording, the same as TrackEval's, in a fraction of its time.

The matching of a moment does not depend on the overlap that HOTA asks for, so one matching serves
all of them. Identity needs no matrix of all tracks: those that never overlap cannot be the same.
"""

import numpy as np
from jaxtyping import Float64, Int32, Int64
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from etram_pipeline.evaluation.tracks.matching import EPSILON, Compared, follow
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.sums import TrackSums, make_sums

_Groups = Int32[np.ndarray, " K"]
_MOSTLY_TRACKED, _MOSTLY_LOST = 0.8, 0.2


def measure(compared: Compared, protocol: TrackProtocol) -> TrackSums:
    """Sums of the boxes of one recording."""
    num_labels, num_tracked = len(compared.labels), len(compared.tracks)
    followed = follow(compared, protocol.match_iou)
    same_boxes = _identity(compared, protocol.match_iou)
    right = int(followed.is_matched.sum())
    found = followed.matches / compared.label_tracks.counts
    mostly, partly = (found > _MOSTLY_TRACKED).sum(), (found >= _MOSTLY_LOST).sum()
    return make_sums(
        {
            "IDSW": followed.switches.sum(),
            "Frag": (followed.beginnings - 1).clip(0).sum(),
            "MT": mostly,
            "PT": partly - mostly,
            "ML": len(found) - partly,
            "TP": right,
            "FN": num_labels - right,
            "FP": num_tracked - right,
            "IDTP": same_boxes,
            "IDFN": num_labels - same_boxes,
            "IDFP": num_tracked - same_boxes,
            "tracks": len(compared.tracks_of_boxes),
            "labelled_tracks": len(compared.label_tracks),
        },
        float(compared.pairs.overlaps[followed.is_matched].sum()),
        _association(compared, np.array(protocol.iou_thresholds)),
    )


def _association(
    compared: Compared, thresholds: Float64[np.ndarray, " A"]
) -> Float64[np.ndarray, "S A"]:
    """Number of matches, and sums of AssA, AssRe, AssPr and LocA over these, by overlap.

    Source: Luiten et al., "HOTA", IJCV 2021; TrackEval 1.3.0, `metrics/hota.py`.
    """
    pairs = compared.pairs
    label_tracks, tracks = compared.label_tracks, compared.tracks_of_boxes
    kinds, kind = np.unique(compared.pair_codes, return_inverse=True)
    if not len(kinds):
        return np.zeros((5, len(thresholds)))
    num_labels = label_tracks.counts[kinds // len(tracks)].astype(np.float64)
    num_tracked = tracks.counts[kinds % len(tracks)].astype(np.float64)
    shared = np.bincount(kind, pairs.shares, len(kinds))
    alignment = shared / (num_labels + num_tracked - shared)
    is_matched = pairs.matched(alignment[kind] * pairs.overlaps)
    kind, overlaps = kind[is_matched], pairs.overlaps[is_matched]
    sums = np.empty((5, len(thresholds)))
    for column, threshold in enumerate(thresholds):
        is_near = overlaps >= threshold - EPSILON
        matches = np.bincount(kind[is_near], minlength=len(kinds)).astype(np.float64)
        squared = matches * matches
        sums[:, column] = (
            matches.sum(),
            (squared / np.maximum(1, num_labels + num_tracked - matches)).sum(),
            (squared / num_labels).sum(),
            (squared / num_tracked).sum(),
            overlaps[is_near].sum(),
        )
    return sums


def _identity(compared: Compared, least_overlap: float) -> int:
    """Boxes of the pairs of tracks that overlap most often, if every track is in one pair.

    Source: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera
    Tracking", ECCV Workshops 2016; TrackEval 1.3.0, `metrics/identity.py`.
    """
    is_near = compared.pairs.overlaps >= least_overlap
    codes, counts = np.unique(compared.pair_codes[is_near], return_counts=True)
    rows, columns = np.divmod(codes, max(len(compared.tracks_of_boxes), 1))
    group = _groups(rows, columns)
    is_alone = np.bincount(group)[group] == 1
    total = int(counts[is_alone].sum())
    order = np.flatnonzero(~is_alone)[np.argsort(group[~is_alone], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        total += _most_common(rows[members], columns[members], counts[members])
    return total


def _groups(rows: Int64[np.ndarray, " K"], columns: Int64[np.ndarray, " K"]) -> _Groups:
    """Group of each pair of tracks; pairs of different groups have no track in common."""
    if not len(rows):
        return np.zeros(0, np.int32)
    first_column = int(rows.max()) + 1
    size = first_column + int(columns.max()) + 1
    graph = coo_array(
        (np.ones(len(rows), bool), (rows, first_column + columns)), shape=(size, size)
    )
    _, group = connected_components(graph, directed=False)
    found: _Groups = group[rows]
    return found


def _most_common(
    rows: Int64[np.ndarray, " K"], columns: Int64[np.ndarray, " K"], counts: Int64[np.ndarray, " K"]
) -> int:
    """Largest sum of counts, if every row and every column is used once at most."""
    if not len(rows):
        return 0
    (row_ids, row), (column_ids, column) = (
        np.unique(each, return_inverse=True) for each in (rows, columns)
    )
    matrix = np.zeros((len(row_ids), len(column_ids)), np.int64)
    matrix[row, column] = counts
    return int(matrix[linear_sum_assignment(matrix, maximize=True)].sum())
