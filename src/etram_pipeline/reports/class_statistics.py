"""How often each class occurs in each split, and how often training repeats it."""

from collections.abc import Iterable, Mapping

from etram_pipeline.clips.repetition import class_factors
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.statistics import ClassCounts, count_classes


def class_statistics(
    labels: Mapping[str, Iterable[LabelledFrames]],
    class_names: tuple[str, ...],
    repeat_threshold: float | None,
) -> list[dict[str, object]]:
    """One row per split and class.

    Args:
        labels: Labels of the recordings of each split.
        class_names: Classes, in the order of their ids.
        repeat_threshold: `train.sampling.repeat_threshold`; None: rows have no repeat factors.

    Raises:
        LabelError: If a box is of a class that does not exist.
    """
    rows: list[dict[str, object]] = []
    for split, recordings in labels.items():
        counts = count_classes(recordings, len(class_names))
        of_split = _rows(split, class_names, counts)
        if repeat_threshold is not None:
            factors = class_factors(counts.num_frames, counts.total_frames, repeat_threshold)
            for row, factor in zip(of_split, factors.tolist(), strict=True):
                row["repeat_factor"] = factor if split == "train" and row["frames"] else None
        rows += of_split
    return rows


def _rows(split: str, class_names: tuple[str, ...], counts: ClassCounts) -> list[dict[str, object]]:
    box_shares = counts.num_boxes / max(counts.num_boxes.sum(), 1)
    frame_shares = counts.num_frames / max(counts.total_frames, 1)
    return [
        {
            "split": split,
            "class": name,
            "boxes": int(counts.num_boxes[index]),
            "frames": int(counts.num_frames[index]),
            "share_of_boxes": float(box_shares[index]),
            "share_of_frames": float(frame_shares[index]),
        }
        for index, name in enumerate(class_names)
    ]
