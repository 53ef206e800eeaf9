"""What was taken for what."""

import numpy as np

from etram_pipeline.evaluation.assignment import UNASSIGNED, assign, find_overlaps
from etram_pipeline.evaluation.matching import Frames
from etram_pipeline.evaluation.protocol import CONFUSION_IOU
from etram_pipeline.evaluation.result import BACKGROUND, Confusion


def count_confusions(frames: Frames, class_names: tuple[str, ...], min_score: float) -> Confusion:
    """Pairs of true and detected class at IoU 0.5.

    Whatever its class, each detection of at least `min_score`, best first, is paired with the
    free label it overlaps most. Labels left over were taken for background, detections left over
    were background.
    """
    detections = frames.detections.take(frames.detections.scores >= min_score)
    detections = detections.take(np.lexsort((-detections.scores, detections.frames)))
    labels = frames.labels
    overlaps = find_overlaps(labels, detections, labels.frames, detections.frames, CONFUSION_IOU)
    rows, given = assign(
        overlaps, detections.frames, np.array([CONFUSION_IOU]), np.zeros((1, len(labels)), bool)
    )
    is_paired = given[0, 0] != UNASSIGNED
    paired_detections, paired_labels = rows[is_paired], given[0, 0, is_paired]
    background = len(class_names)
    detected_as = np.full(len(labels), background)
    detected_as[paired_labels] = detections.class_ids[paired_detections]
    is_false = np.ones(len(detections), bool)
    is_false[paired_detections] = False
    counts = np.zeros((background + 1, background + 1), np.int64)
    np.add.at(counts, (labels.class_ids, detected_as), 1)
    counts[background] += np.bincount(detections.class_ids[is_false], minlength=background + 1)
    return Confusion(
        class_names=(*class_names, BACKGROUND),
        counts=tuple(tuple(row) for row in counts.tolist()),
    )
