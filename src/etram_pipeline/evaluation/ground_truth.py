"""What identifies the labels that detections were compared with."""

import hashlib
from collections.abc import Mapping

import numpy as np

from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.evaluation.classes import ScoredClasses
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.tables import label_boxes
from etram_pipeline.labels.table import LabelTable


def fingerprint_labels(
    labels: Mapping[str, LabelTable], protocol: Protocol, classes: ScoredClasses
) -> str:
    """A hash of the recordings and of the times, boxes and classes of the labels that count.

    The order of recordings and labels does not change it.

    Raises:
        LabelError: If a table is not one of boxes; names the recording.
    """
    digests = []
    for recording in sorted(labels):
        boxes = label_boxes(labels[recording], recording, protocol)
        class_ids = classes.index_of_id[boxes.class_ids]
        columns = [class_ids, boxes.times_us, *boxes.boxes_xywh.T]
        order = np.lexsort(columns)
        counted = order[class_ids[order] >= 0]
        content = hashlib.sha256(usedforsecurity=False)
        for column in columns:
            content.update(np.ascontiguousarray(column[counted]).tobytes())
        digests.append([recording, content.hexdigest()])
    return fingerprint([digests, classes.names])
