"""What identifies the labels that detections were compared with."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.evaluation.classes import ScoredClasses
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.tables import empty_moments, label_boxes
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
        counted = class_ids >= 0
        columns = [class_ids, boxes.times_us, *boxes.boxes_xywh.T]
        digest = [recording, hash_rows([column[counted] for column in columns])]
        empty_us = empty_moments(labels, recording)
        digests.append([*digest, hash_rows([empty_us])] if len(empty_us) else digest)
    return fingerprint([digests, classes.names])


def hash_rows(columns: Sequence[Shaped[np.ndarray, " N"]]) -> str:
    """A hash of a table, which the order of its rows does not change."""
    order = np.lexsort(columns)
    content = hashlib.sha256(usedforsecurity=False)
    for column in columns:
        content.update(np.ascontiguousarray(column[order]).tobytes())
    return content.hexdigest()
