"""The costliest mistakes, chosen for a page and made into clips."""

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from etram_pipeline.core.errors import StoreError
from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.mistake_clips import Moment, draw_strip
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.stores.representation_store import StoredRepresentations

logger = logging.getLogger(__name__)

MAX_BYTES = 1_500_000
"""Most that all strips together take; inside a page they take a third more."""

_APART_US = 1_000_000
"""Time from which two mistakes of a kind and class in a recording are different ones."""
_LOSSY_QUALITIES = (60, 30)

Row = Mapping[str, object]


@dataclass(frozen=True)
class MistakeClip:
    """A mistake as a page shows it.

    Attributes:
        kind: What is wrong.
        recording: Recording, as `<split>/<name>`.
        time_us: Moment, in microseconds.
        class_name: Class detected, or that of a missed label.
        label_class: Class of the label concerned; empty if there is none.
        score: Score of the detection; None for a missed label.
        cost: What it takes from average precision.
        light: Time of day, as the recording's name tells; empty if it does not.
        strip: Pictures side by side as a WebP file; None if there are none.
    """

    kind: str
    recording: str
    time_us: int
    class_name: str
    label_class: str
    score: float | None
    cost: float
    light: str = ""
    strip: bytes | None = None


def mistake_clips(  # what is shown, and what it is drawn from
    rows: Sequence[Row],
    frames: Mapping[str, StoredRepresentations],
    labels: Mapping[str, LabelledFrames],
    detections: Mapping[str, DetectionTable],
    class_names: Sequence[str],
    settings: ReportSettings,
) -> list[MistakeClip]:
    """The costliest mistakes of each kind, with pictures as far as there are histograms.

    Two mistakes of one kind and class within a second of a recording are nearly the same picture,
    so only the costlier one is shown.

    Args:
        rows: Rows of the table of mistakes, the costliest first.
        frames: Representations by recording.
        labels: Ground truth by recording.
        detections: Detections by recording.
        class_names: Name of each class id of the detections.
        settings: How many, and which detections are drawn.
    """
    chosen = list(choose_mistakes(rows, settings.mistakes_per_kind))
    clips = [_described(row) for row in chosen]
    strips: list[RgbImage | None] = []
    for row, clip in zip(chosen, clips, strict=True):
        moment = _moment(row, class_names)
        strips.append(_drawn(moment, clip, frames, labels, detections, settings.drawn_score()))
    missing = sorted(
        {clip.recording for clip, strip in zip(clips, strips, strict=True) if strip is None}
    )
    if missing:
        logger.warning(
            "the report shows mistakes in %s without pictures, because their histograms are "
            "missing: add `preprocess` to --pipelines",
            ", ".join(missing[:5]),
        )
    encoded = encode_strips(strips)
    return [replace(clip, strip=strip) for clip, strip in zip(clips, encoded, strict=True)]


def choose_mistakes(rows: Sequence[Row], per_kind: int) -> Iterator[Row]:
    """At most so many rows of each kind, of moments that differ, kind by kind."""
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    for kind in kinds:
        chosen: list[Row] = []
        for row in rows:
            if len(chosen) == per_kind:
                break
            if row["kind"] == kind and not any(_is_near(row, other) for other in chosen):
                chosen.append(row)
        yield from chosen


def _is_near(one: Row, other: Row) -> bool:
    alike = all(one[name] == other[name] for name in ("recording", "class"))
    return alike and abs(int(str(one["time_us"])) - int(str(other["time_us"]))) < _APART_US


def encode_strips(
    strips: Sequence[RgbImage | None], max_bytes: int = MAX_BYTES
) -> list[bytes | None]:
    """Strips as WebP files that together take no more than so many bytes.

    They are lossless if they fit, else as good as fits; if not even the worst quality does, the
    last ones are left out.
    """
    encoded: list[bytes | None] = []
    for quality in (None, *_LOSSY_QUALITIES):
        encoded = [None if strip is None else _webp(strip, quality) for strip in strips]
        if sum(len(each or b"") for each in encoded) <= max_bytes:
            return encoded
    totals = np.cumsum([len(each or b"") for each in encoded])
    return [
        each if total <= max_bytes else None
        for each, total in zip(encoded, totals.tolist(), strict=True)
    ]


def _webp(strip: RgbImage, quality: int | None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(strip)
    if quality is None:  # the quality of a lossless file is the effort to make it small
        image.save(buffer, "webp", lossless=True, quality=80)
    else:
        image.save(buffer, "webp", quality=quality)
    return buffer.getvalue()


def _described(row: Row) -> MistakeClip:
    recording = str(row["recording"])
    score = _number(row["score"])
    return MistakeClip(
        kind=str(row["kind"]),
        recording=recording,
        time_us=int(str(row["time_us"])),
        class_name=str(row["class"]),
        label_class=_text(row["label_class"]),
        score=score,
        cost=_number(row["cost"]) or 0.0,
        light=next(iter(recordings_by_lighting([recording])), ""),
    )


def _moment(row: Row, class_names: Sequence[str]) -> Moment:
    name = str(row["class"])
    box, label = (
        tuple(_number(row[f"{owner}{side}"]) for side in "xywh") for owner in ("", "label_")
    )
    known = name in class_names
    return Moment(
        recording=str(row["recording"]),
        time_us=int(str(row["time_us"])),
        box_xywh=_box(box) or (0.0, 0.0, 0.0, 0.0),
        label_xywh=_box(label),
        colour=palette.class_colour(class_names.index(name)) if known else palette.ACCENT,
        is_detected=_number(row["score"]) is not None,
    )


def _box(sides: tuple[float | None, ...]) -> tuple[float, float, float, float] | None:
    x, y, w, h = sides
    if x is None or y is None or w is None or h is None:
        return None
    return x, y, w, h


def _number(value: object) -> float | None:
    """A number of a CSV file; None if the field is empty."""
    number = float(str(value)) if value not in ("", None) else float("nan")
    return None if np.isnan(number) else number


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _drawn(  # what is shown, and what it is drawn from
    moment: Moment,
    clip: MistakeClip,
    frames: Mapping[str, StoredRepresentations],
    labels: Mapping[str, LabelledFrames],
    detections: Mapping[str, DetectionTable],
    drawn_score: float,
) -> RgbImage | None:
    key = clip.recording
    if key not in frames or key not in detections:
        return None
    table = detections[key]
    try:
        return draw_strip(
            moment, frames[key], labels.get(key), table[table["score"] >= drawn_score]
        )
    except (StoreError, OSError):  # of histograms that were deleted, and only they are read here
        return None
