"""The page."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.reports.html import Reader

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.drawing.video import write_video
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports import page
from etram_pipeline.reports.figures import draw_report_figures
from etram_pipeline.reports.page import ReportContent, write_page
from etram_pipeline.reports.wording import NO_LABELS

EVIL = "test/<script>alert('x')</script>"

PACKAGE = Path(page.__file__).parent


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A tiny video."""
    path = tmp_path / "annotated video.mp4"
    write_video(path, (np.full((32, 32, 3), 9 * i, np.uint8) for i in range(4)), 20)
    return path


@pytest.fixture
def full(make_metrics: Callable[..., Metrics], video: Path) -> ReportContent:
    """Everything a page can show, with hostile names."""
    metrics = {"mine": make_metrics(), "other": make_metrics("other")}
    history = [
        {"step": 1, "name": "train/loss", "value": 2.0},
        {"step": 1, "name": "val/mine/AP", "value": 0.3},
    ]
    return ReportContent(
        metrics=metrics,
        headline="mine",
        figures=draw_report_figures(metrics, history, "mine"),
        examples={f"best by day, {EVIL} at 0.10 s": np.zeros((20, 30, 3), np.uint8)},
        video=video,
        quality=[{"recording": EVIL, "num_events": 1234567}],
        frames=[{"recording": EVIL, "windows": 7654321}],
        class_statistics=[{"split": "train", "class": EVIL, "repeat_factor": 1.5}],
        run={"commit": EVIL, "parameters": 1104231, "detector": {"kind": "<rvt>"}},
        title="Crossing & square",
    )


def test_page_is_well_formed_and_needs_nothing_from_elsewhere(full: ReportContent) -> None:
    html = write_page(full)
    reader = Reader(html)
    assert all(re.match(r"(data:|#)", address) for address in reader.addresses)
    assert not re.search(r"@import|url\((?!#)", html)
    assert reader.images_without_text == 0
    assert "video" in reader.tags


def test_classes_are_told_with_their_repeat_factors(full: ReportContent) -> None:
    for content, told in ((full, True), (replace(full, class_statistics=()), False)):
        html = write_page(content)
        assert ("repeat factor" in html) == (">1.500</td>" in html) == told


def test_names_of_users_are_text_and_never_code(full: ReportContent) -> None:
    html = write_page(full)
    assert "script" not in Reader(html).tags
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 4
    assert "Crossing &amp; square" in html


def test_protocol_is_stated_with_the_numbers(full: ReportContent) -> None:
    html = write_page(full)
    headline = html[html.index("<header>") : html.index('<section id="examples">')]
    for text in ("1,200 labelled objects", "300 moments of 2 recordings", "Class-aware", "0.20"):
        assert text in headline
    assert "protocol <strong>mine</strong>" in headline
    assert "Numbers of different protocols cannot be compared" in html


def test_absent_ground_truth_is_said_and_left_out(full: ReportContent) -> None:
    html = write_page(full)
    assert "No labels of tram: the means leave it out." in html
    assert "of 1 classes" not in html
    assert not re.search(r">\s*-1(\.0+)?\s*<", html)


def test_page_of_metrics_alone_leaves_the_other_sections_out(metrics: Metrics) -> None:
    html = write_page(ReportContent(metrics={"mine": metrics}, headline="mine"))
    reader = Reader(html)
    assert not {"video", "img", "svg"} & set(reader.tags)
    for section in ("examples", "training", "data", "run"):
        assert f'id="{section}"' not in html
        assert f'"#{section}"' not in html
    assert "cannot be compared" not in html


def test_headline_without_ground_truth_is_no_number(make_metrics: Callable[..., Metrics]) -> None:
    nothing = make_metrics(overall={"AP": -1.0, "AP_50": -1.0, "AR_100": -1.0})
    html = write_page(ReportContent(metrics={"mine": nothing}, headline="mine"))
    assert html.count(f'<b class="none">{NO_LABELS}</b>') == 3


def test_classes_without_a_score_of_their_own_are_named(full: ReportContent) -> None:
    html = write_page(full)
    assert "highest F1 in the validation recordings" in html
    assert "No detection of tram is right in the validation recordings" in html


def test_a_page_without_an_operating_point_says_what_to_do(
    make_metrics: Callable[..., Metrics],
) -> None:
    reason = "operating scores are not known: run `kedro run --pipelines predict`"
    metrics = make_metrics(operating_point=None, no_operating_point=reason)
    html = write_page(ReportContent(metrics={"mine": metrics}, headline="mine"))
    assert "Operating scores are not known: run <code>kedro run" in html
    assert "highest F1" not in html


def test_the_score_of_drawn_detections_is_stated(full: ReportContent) -> None:
    assert "confidence, which is at least" not in write_page(full)
    html = write_page(replace(full, drawn_score=0.374))
    assert "confidence, which is at least 0.37; dashed" in html


def test_it_is_stated_that_a_video_shows_tracks(full: ReportContent) -> None:
    html = write_page(replace(full, is_tracked=True, drawn_score=0.374))
    assert "Solid boxes are tracks" in html
    assert "which is at least" not in html.split("<figcaption>")[1]
    assert "Solid boxes are tracks" not in write_page(full)


def test_page_of_overlaps_without_a_half_has_no_ap50(without_half: Metrics) -> None:
    html = write_page(ReportContent(metrics={"mine": without_half}, headline="mine"))
    assert "counts as found. 1 is perfect" not in html
    assert "Average precision over the IoU thresholds of the protocol" in html
    assert "AP (average precision) is computed at an IoU of 0.2" in html


def test_video_too_large_for_the_page_is_linked_beside_it(
    full: ReportContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_EMBEDDED_BYTES", 10)
    reader = Reader(write_page(full))
    assert reader.addresses.count("annotated%20video.mp4") == 2  # to play, and to open


def test_figures_keep_their_texts_and_follow_the_theme(full: ReportContent) -> None:
    html = write_page(full)
    assert html.count("<svg") == len(full.figures)
    assert "What is taken for what" in html
    assert 'aria-label="What is taken for what. Correct classes are on the diagonal' in html


def test_headline_that_was_not_evaluated_is_refused(metrics: Metrics) -> None:
    with pytest.raises(ProtocolError, match="'other' are wanted"):
        write_page(ReportContent(metrics={"mine": metrics}, headline="other"))


def test_no_row_of_a_table_is_hidden() -> None:
    """Neither by a box that scrolls nor by a limit: pages are printed and searched, too."""
    styles = (PACKAGE / "templates/report.css").read_text()
    assert "max-height" not in styles
    assert "overflow-y" not in styles
