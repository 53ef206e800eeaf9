"""The report as one HTML file that needs no other: figures, pictures and styles are inside it."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from etram_pipeline.analysis.error_report import ErrorReport
from etram_pipeline.analysis.reliability import CalibrationResult
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.drawing.video import read_picture
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.reports.breakdowns import MOST_RECORDINGS
from etram_pipeline.reports.calibration import calibration_section
from etram_pipeline.reports.errors import error_section
from etram_pipeline.reports.figure_style import figure_svg
from etram_pipeline.reports.mistake_gallery import gallery_section, suspect_table
from etram_pipeline.reports.mistakes import MistakeClip
from etram_pipeline.reports.tables import (
    class_table,
    condition_table,
    mistake_table,
    operating_table,
    protocol_table,
    records_table,
    size_table,
)
from etram_pipeline.reports.templating import render_page
from etram_pipeline.reports.traffic.score_tables import count_table
from etram_pipeline.reports.traffic.sections import count_sections, track_section
from etram_pipeline.reports.wording import (
    interval_fact,
    interval_text,
    operating_facts,
    protocol_facts,
)

MAX_EMBEDDED_BYTES = 8_000_000
"""Largest video that is put into the page; a larger one is linked as a file beside it."""


@dataclass(frozen=True)
class ReportContent:
    """What a page shows; a part that is empty leaves its section out.

    Attributes:
        metrics: Metrics by protocol.
        headline: Protocol of the numbers shown first.
        figures: Figures by the names `draw_report_figures` gives them.
        examples: Pictures by caption.
        video: Annotated recording.
        is_tracked: Whether the video shows tracks instead of detections.
        drawn_score: Lowest score of the detections drawn on pictures; None if unknown.
        quality: One row per recording: its contents.
        frames: One row per recording: the result of preprocessing.
        class_statistics: One row per split and class: how often it occurs.
        track_metrics: Scores of tracks by protocol; the first is shown in full.
        count_metrics: Errors of counts by set of lines, such as `grid` and `site`.
        mistakes: The costliest mistakes.
        suspects: One row per suspected label error, most suspicious first.
        calibration: Whether scores can be trusted, by protocol.
        errors: What each kind of mistake costs, by protocol.
        run: Facts about the run: plain values are listed, nested ones collapsed.
        title: Heading of the page.
    """

    metrics: Mapping[str, Metrics]
    headline: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    examples: Mapping[str, RgbImage] = field(default_factory=dict)
    video: Path | None = None
    is_tracked: bool = False
    drawn_score: float | None = None
    quality: Sequence[Mapping[str, object]] = ()
    frames: Sequence[Mapping[str, object]] = ()
    class_statistics: Sequence[Mapping[str, object]] = ()
    track_metrics: Mapping[str, TrackMetrics] = field(default_factory=dict)
    count_metrics: Mapping[str, CountMetrics] = field(default_factory=dict)
    mistakes: Sequence[MistakeClip] = ()
    suspects: Sequence[Mapping[str, object]] = ()
    calibration: Mapping[str, CalibrationResult] = field(default_factory=dict)
    errors: Mapping[str, ErrorReport] = field(default_factory=dict)
    run: Mapping[str, object] = field(default_factory=dict)
    title: str = "Traffic seen by an event camera"


@dataclass(frozen=True)
class Plot:
    """A figure in a page.

    Attributes:
        svg: The figure.
        caption: Text below it.
        alternative: Its alternative in words.
    """

    svg: Markup
    caption: str
    alternative: str


_CAPTIONS = {
    "class_precision": "The right half shows the number of labels behind each value.",
    "precision_recall": "Each point of a curve is one confidence threshold. Up and to the right is "
    "better; a curve ends at the largest share of objects that is found at all. Numbers: AP at "
    "this IoU.",
    "confusion": "Correct classes are on the diagonal, missed labels in the last column, and "
    "detections without a label in the last row.",
    "size_precision": "Area of the labelled box, as the side of a square.",
    "condition_precision": "Recordings by day and by night, according to their names.",
    "error_gains": "One kind is repaired at a time: a wrong class or place is corrected, "
    "everything else is taken away.",
    "error_groups": "Bars are as long as the gain, on one scale. By size, only the mistakes of "
    "this size are repaired; by light, the recordings are scored by themselves.",
    "breakdowns": "Beside each point is the number of labels, behind it an interval over "
    "recordings. Bins depend on the labels alone.",
    "breakdowns_2": f"Of more than {MOST_RECORDINGS} recordings, those in which least is found.",
    "reliability": "On the dotted line, scores are probabilities. Below it, they are too high; "
    "above it, too low. Bins of fewer than 10 detections are only in the lower part.",
    "class_reliability": "Scores from left to right, as in the figure of all detections.",
    "hota_thresholds": "A stricter overlap lets fewer boxes match. DetA falls where boxes fit "
    "badly; AssA tells how well those that match are kept together.",
    "losses": "The total is the sum of its parts.",
    "validation": "Evaluated in the same way as above, on recordings that are used neither for "
    "training nor for the test.",
}


def write_page(content: ReportContent) -> str:
    """The page as HTML, which holds everything but a video too large to put inside.

    Raises:
        ProtocolError: If the headline protocol was not evaluated.
    """
    if content.headline not in content.metrics:
        raise ProtocolError(
            f"metrics of {content.headline!r} are wanted, but those evaluated are "
            f"{sorted(content.metrics)}: change report.headline or evaluate"
        )
    return render_page("report.html.j2", _headline_values(content) | _section_values(content))


def _headline_values(content: ReportContent) -> dict[str, object]:
    metrics = content.metrics[content.headline]
    absent = [name for name, part in metrics.per_class.items() if not part.num_labels]
    return {
        "title": content.title,
        "headline": content.headline,
        "metrics": metrics,
        "numbers": [
            (
                value,
                None if found == NO_GROUND_TRUTH else found,
                interval_text(metrics.interval_of(value.name)),
            )
            for value in metrics.protocol.shown("page")
            if (found := metrics.overall.get(value.name)) is not None
        ],
        "facts": protocol_facts(metrics.protocol),
        "interval_fact": interval_fact(metrics),
        "absent": absent,
        "num_labelled_classes": len(metrics.per_class) - len(absent),
        "video": _video(content.video),
        "is_tracked": content.is_tracked,
        "drawn_score": content.drawn_score,
    }


def _section_values(content: ReportContent) -> dict[str, object]:
    metrics = content.metrics[content.headline]
    return {
        "examples": [_example(caption, image) for caption, image in content.examples.items()],
        "classes": class_table(metrics),
        "colours": palette.class_colours(range(len(metrics.per_class))),
        "operating": operating_table(metrics),
        "operating_facts": operating_facts(metrics),
        "mistakes": mistake_table(metrics),
        "conditions": condition_table(metrics),
        "sizes": size_table(metrics),
        "calibration": calibration_section(content.calibration),
        "errors": error_section(content.errors),
        "tracks": track_section(content.track_metrics),
        "count_overview": count_table(content.count_metrics),
        "counts": count_sections(content.count_metrics),
        "gallery": gallery_section(content.mistakes),
        "suspects": suspect_table(content.suspects),
        "protocols": protocol_table(content.metrics),
        "protocol_meanings": [
            {
                "name": name,
                "description": one.protocol.description,
                "facts": protocol_facts(one.protocol),
            }
            for name, one in content.metrics.items()
        ],
        "figures": {
            name: plot(figure, _CAPTIONS.get(name, "")) for name, figure in content.figures.items()
        },
        "quality": records_table(content.quality),
        "frames": records_table(content.frames),
        "class_statistics": records_table(content.class_statistics),
        "run": {name: value for name, value in content.run.items() if not _is_nested(value)},
        "details": {
            name: json.dumps(value, indent=2, default=str, ensure_ascii=False)
            for name, value in content.run.items()
            if _is_nested(value)
        },
    }


def plot(figure: Figure, caption: str) -> Plot:
    """A figure with its caption for a page; its title is part of its alternative in words."""
    title = figure.get_suptitle().strip()
    # Matplotlib has escaped the texts inside the figure.
    return Plot(Markup(figure_svg(figure)), caption, f"{title}. {caption}".strip())


def _example(caption: str, image: RgbImage) -> dict[str, object]:
    return {
        "source": picture_uri(image, "png"),
        "caption": caption[:1].upper() + caption[1:],
        "height": image.shape[0],
        "width": image.shape[1],
    }


def _video(path: Path | None) -> dict[str, object] | None:
    if path is None:
        return None
    embedded = path.stat().st_size <= MAX_EMBEDDED_BYTES
    source = _data_uri("video/mp4", path.read_bytes()) if embedded else quote(path.name)
    poster = picture_uri(read_picture(path), "jpeg")
    return {"source": source, "embedded": embedded, "name": path.name, "poster": poster}


def picture_uri(image: RgbImage, image_format: str) -> str:
    """A picture as an address that holds it."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=image_format, optimize=True)
    return _data_uri(f"image/{image_format}", buffer.getvalue())


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping | list | tuple)
