"""Precision, recall and F1 at the score that is best in the validation recordings.

This is not a member of the metrics family. A metric is a function of the labels and detections
that are evaluated. The scores used here come from other recordings, and choosing them on the
evaluated ones would make the result too good.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.evaluation.curves import Ranking, rank_detections
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.outcomes import match_classes
from etram_pipeline.evaluation.result import OperatingPoint, ScoredAt


def best_scores(evidence: Evidence) -> OperatingScores | None:
    """The scores with the highest F1; None if no detection is right."""
    protocol, names = evidence.protocol, evidence.class_names
    rankings = _rankings(evidence)
    common = best_score(_of_all_classes(evidence, rankings))
    if common is None:
        return None
    of_class = {name: best_score(ranking) for name, ranking in zip(names, rankings, strict=True)}
    return OperatingScores(
        protocol=protocol.name,
        choices=protocol.choices(names),
        ranking=protocol.ranking,
        common=common,
        per_class={name: score for name, score in of_class.items() if score is not None},
    )


def measure_operating_point(evidence: Evidence, scores: OperatingScores) -> OperatingPoint | None:
    """Precision, recall and F1 at given scores; None if these were found by other choices."""
    protocol, names = evidence.protocol, evidence.class_names
    if scores.choices != protocol.choices(names):
        return None
    rankings = _rankings(evidence)
    return OperatingPoint(
        iou=protocol.curve_iou,
        overall=score_at(_of_all_classes(evidence, rankings), scores.common),
        per_class={
            name: score_at(ranking, scores.of_class(name))
            for name, ranking in zip(names, rankings, strict=True)
        },
        at_common_score=tuple(name for name in names if name not in scores.per_class),
    )


def count_at_operating_point(
    evidence: Evidence, scores: OperatingScores
) -> Int64[np.ndarray, "K1 R 3"] | None:
    """Right detections, detections and labels at given scores; None if found by other choices.

    Returns:
        Numbers in each recording, of all classes, then of each class.
    """
    names = evidence.class_names
    if scores.choices != evidence.protocol.choices(names):
        return None
    rankings = _rankings(evidence)
    labels, recordings = evidence.frames.labels, evidence.frames.recordings
    parts = [
        (_of_all_classes(evidence, rankings), scores.common, np.ones(len(labels), bool)),
        *(
            (ranking, scores.of_class(name), labels.class_ids == class_id)
            for class_id, (name, ranking) in enumerate(zip(names, rankings, strict=True))
        ),
    ]
    counts = []
    for ranking, score, is_counted in parts:
        counts_here = ranking.scores >= score
        of_columns = (
            ranking.frames[ranking.is_right & counts_here],
            ranking.frames[counts_here],
            labels.frames[is_counted],
        )
        number = len(evidence.recordings)
        counts.append([np.bincount(recordings[frames], minlength=number) for frames in of_columns])
    return np.array(counts, np.int64).transpose(0, 2, 1)


def best_score(ranking: Ranking) -> float | None:
    """The observed score with the highest F1 of all detections with at least this score.

    Of equal F1, the highest score: it needs the fewest detections. None if no detection is right.
    """
    # Equal scores cannot be separated, so F1 is read at the last detection of each score.
    ends = np.flatnonzero(np.diff(ranking.scores, append=-np.inf))
    num_right = np.cumsum(ranking.is_right)[ends]
    f1 = 2 * num_right / (ends + 1 + ranking.num_labels)
    if not num_right.any():
        return None
    return float(ranking.scores[ends[np.argmax(f1)]])


def score_at(ranking: Ranking, score: float) -> ScoredAt:
    """Precision, recall and F1 of the detections with at least a score."""
    counts = ranking.scores >= score
    num_detections = int(np.count_nonzero(counts))
    num_right = int(np.count_nonzero(ranking.is_right & counts))
    precision = recall = f1 = NO_GROUND_TRUTH
    if ranking.num_labels:
        precision = num_right / max(num_detections, 1)
        recall = num_right / ranking.num_labels
        f1 = 2 * num_right / (num_detections + ranking.num_labels)
    return ScoredAt(
        score=score,
        precision=precision,
        recall=recall,
        f1=f1,
        num_labels=ranking.num_labels,
        num_detections=num_detections,
    )


def _rankings(evidence: Evidence) -> list[Ranking]:
    return rank_detections(evidence.compare(match_classes))


def _of_all_classes(evidence: Evidence, rankings: Sequence[Ranking]) -> Ranking:
    """The detections of all classes together, matched within classes if the protocol does so."""
    if not evidence.protocol.class_aware:
        (ranking,) = rank_detections(evidence.compare(match_classes, as_one_class=True))
        return ranking
    scores = np.concatenate([ranking.scores for ranking in rankings])
    order = np.argsort(-scores, kind="stable")
    is_right = np.concatenate([ranking.is_right for ranking in rankings])
    num_labels = sum(ranking.num_labels for ranking in rankings)
    frames = np.concatenate([ranking.frames for ranking in rankings])
    return Ranking(scores[order], is_right[order], num_labels, frames[order])
