"""Frames worth a look: where detections agree best and worst with the labels."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.drawing.annotation import AnnotatedWindow, Annotator, class_title
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.stores.representation_store import StoredRepresentations

_IOU = 0.5
_TOLERANCE_US = 25_000


@dataclass(frozen=True)
class _Candidate:
    recording: str
    frame: int
    window: int
    num_labels: int
    agreement: float


def example_images(
    frames: Mapping[str, StoredRepresentations],
    labels: Mapping[str, LabelledFrames],
    detections: Mapping[str, DetectionTable],
    class_names: Sequence[str],
    settings: ReportSettings,
) -> dict[str, RgbImage]:
    """Pictures of the best and the worst frames by day and by night, by caption.

    A caption serves as a file name too. Labels that no detection of their class overlaps by half
    are named. The agreement that ranks frames picks pictures; it is no metric, and is not shown.

    Args:
        frames: Representations by recording.
        labels: Ground truth by recording.
        detections: Detections by recording; only recordings that have some entry are considered.
        class_names: Name of each class id.
        settings: How many examples, and which detections are drawn.
    """
    shown = {
        recording: table[table["score"] >= settings.drawn_score()]
        for recording, table in detections.items()
        if recording in labels and recording in frames
    }
    candidates = [
        candidate
        for recording, table in shown.items()
        for candidate in _candidates(frames[recording], labels[recording], table)
    ]
    annotator = Annotator(class_names, settings.scale)
    images: dict[str, RgbImage] = {}
    for title, candidate in _choose(candidates, settings.num_examples):
        recording = candidate.recording
        truth = labels[recording][candidate.frame]
        scene = _scene(candidate, frames[recording], truth, shown[recording], class_names)
        name = recording.rpartition("/")[2]
        images[f"{title}, {name} at {scene.time_us / 1e6:.2f} s"] = annotator.draw(scene)
    return images


def _candidates(
    frames: StoredRepresentations, labels: LabelledFrames, detections: DetectionTable
) -> Iterator[_Candidate]:
    for frame, window in _frames_with_window(frames, labels):
        truth = labels[frame]
        if len(truth):
            found = detections[detections["t"] == frames.stop_us[window]]
            overlaps = _overlaps(truth, found)
            agreeing = overlaps.any(axis=1).sum() + overlaps.any(axis=0).sum()
            agreement = float(agreeing / (len(truth) + len(found)))
            yield _Candidate(frames.key, frame, window, len(truth), agreement)


def _frames_with_window(
    frames: StoredRepresentations, labels: LabelledFrames
) -> Iterator[tuple[int, int]]:
    """Labelled frames, each with the window at whose end it is.

    Where windows were cut whatever is labelled and none ends at a labelled frame, the nearest does.
    """
    if not frames.num_windows:
        return
    middles_us = (frames.stop_us[1:] + frames.stop_us[:-1]) // 2
    windows = np.searchsorted(middles_us, labels.times_us)
    distances_us = np.abs(frames.stop_us[windows] - labels.times_us)
    limit_us = 0 if len(frames.frame_windows) else _TOLERANCE_US
    near = np.flatnonzero(distances_us <= limit_us)
    yield from zip(near.tolist(), windows[near].tolist(), strict=True)


def _choose(
    candidates: Sequence[_Candidate], num_examples: int
) -> Iterator[tuple[str, _Candidate]]:
    """Best and worst frames of each lighting, as far as possible of different recordings."""
    for lighting, group in _by_lighting(candidates).items():
        # A frame with a single object is easily perfect, so the best are sought among busy ones.
        busy = np.median([each.num_labels for each in group])
        best = sorted(group, key=lambda each: (each.num_labels < busy, -each.agreement))
        chosen = _spread(best, num_examples)
        yield from ((f"best{lighting}", each) for each in chosen)
        others = [each for each in group if each not in chosen]
        worst = sorted(others, key=lambda each: (each.agreement, -each.num_labels))
        yield from ((f"worst{lighting}", each) for each in _spread(worst, num_examples))


def _by_lighting(candidates: Sequence[_Candidate]) -> dict[str, list[_Candidate]]:
    """Candidates of each lighting that a recording's name tells, by what a caption says of it."""
    masks = recordings_by_lighting([each.recording for each in candidates])
    named = {f" by {name}": mask for name, mask in masks.items()}
    unnamed = {"": ~np.any(list(masks.values()), axis=0)} if masks else {}
    groups = (named | unnamed) or {"": np.ones(len(candidates), bool)}
    chosen = {suffix: list(itertools.compress(candidates, mask)) for suffix, mask in groups.items()}
    return {suffix: group for suffix, group in chosen.items() if group}


def _spread(ranked: Sequence[_Candidate], wanted: int) -> list[_Candidate]:
    """The first `wanted`, passing over recordings that have one while others have none."""
    seen: set[str] = set()
    first_of_recording = []
    for each in ranked:
        if each.recording not in seen:
            seen.add(each.recording)
            first_of_recording.append(each)
    rest = [each for each in ranked if each not in first_of_recording]
    return [*first_of_recording, *rest][:wanted]


def _scene(
    candidate: _Candidate,
    frames: StoredRepresentations,
    truth: LabelTable,
    detections: DetectionTable,
    class_names: Sequence[str],
) -> AnnotatedWindow:
    window = candidate.window
    time_us = int(frames.stop_us[window])
    found = detections[detections["t"] == time_us]
    is_found: list[bool] = np.any(_overlaps(truth, found), axis=1).tolist()
    return AnnotatedWindow(
        frame=frames.drawn(frames.read(window, window + 1)[0]),
        recording=frames.key,
        time_us=time_us,
        detections=found,
        labels=truth,
        downsampled_by=frames.downsampled_by,
        label_tags=tuple(
            "" if seen else f"missed: {class_title(class_names, class_id)}"
            for seen, class_id in zip(is_found, truth["class_id"].tolist(), strict=True)
        ),
    )


def _overlaps(labels: LabelTable, detections: DetectionTable) -> Bool[np.ndarray, "N M"]:
    """Whether each label and each detection are of one class and overlap by half."""
    ours, theirs = _corners(labels)[:, None], _corners(detections)[None]
    low = np.maximum(ours[..., :2], theirs[..., :2])
    high = np.minimum(ours[..., 2:], theirs[..., 2:])
    shared = (high - low).clip(min=0).prod(axis=-1)
    area, other_area = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (ours, theirs))
    is_same = labels["class_id"][:, None] == detections["class_id"][None]
    overlap: Bool[np.ndarray, "N M"] = is_same & (shared >= _IOU * (area + other_area - shared))
    return overlap


def _corners(table: LabelTable) -> Float[np.ndarray, "N 4"]:
    return xywh_to_xyxy(np.stack([table[name] for name in ("x", "y", "w", "h")], axis=1))
