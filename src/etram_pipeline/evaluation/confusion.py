"""What was taken for what."""

from dataclasses import replace

import numpy as np

from etram_pipeline.evaluation.matching import Frames
from etram_pipeline.evaluation.outcomes import match_boxes
from etram_pipeline.evaluation.protocol import CONFUSION_IOU, Protocol
from etram_pipeline.evaluation.result import BACKGROUND, Confusion


def count_confusions(frames: Frames, class_names: tuple[str, ...], protocol: Protocol) -> Confusion:
    """Pairs of true and detected class at IoU 0.5.

    Whatever its class, each detection of at least `protocol.confusion_score`, best first, is paired
    with the free label it overlaps most. Labels left over were taken for background, detections
    left over were background.
    """
    detections = frames.detections.take(frames.detections.scores >= protocol.confusion_score)
    labels, background = frames.labels, len(class_names)
    every = {"max_detections": (len(detections) + 1,), "area_ranges": {}}
    matched = match_boxes(
        replace(frames, labels=labels.as_one_class(), detections=detections.as_one_class()),
        1,
        protocol.model_copy(update=every),
        (CONFUSION_IOU,),
        detections.class_ids,
    )
    paired_labels = np.append(matched.first_label, -1)[matched.candidates]
    is_paired = paired_labels >= 0
    class_ids = detections.class_ids[matched.rows]
    detected_as = np.full(len(labels), background)
    detected_as[paired_labels[is_paired]] = class_ids[is_paired]
    counts = np.zeros((background + 1, background + 1), np.int64)
    np.add.at(counts, (labels.class_ids, detected_as), 1)
    counts[background] += np.bincount(class_ids[~is_paired], minlength=background + 1)
    return Confusion(
        class_names=(*class_names, BACKGROUND),
        counts=tuple(tuple(row) for row in counts.tolist()),
    )
