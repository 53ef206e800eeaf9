"""Tracks and counts in the report."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.reports.html import Reader
from tests.reports.traffic.conftest import CLASSES, drive, whole_way

from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.result import CountMetrics, CountScores, Share
from etram_pipeline.evaluation.counts.scoring import compare_counts
from etram_pipeline.evaluation.result import Interval, Metrics
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.reports.page import ReportContent, write_page
from etram_pipeline.reports.traffic.score_figures import draw_score_figures
from etram_pipeline.reports.traffic.score_tables import (
    count_bin_table,
    count_line_table,
    count_table,
    error_text,
    share_text,
    track_class_table,
    track_group_table,
)
from etram_pipeline.reports.traffic.score_wording import count_facts, track_facts
from etram_pipeline.reports.traffic.sections import count_sections, track_section
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.counting import Traffic

PROTOCOL = TrackProtocol(name="mine", class_names=CLASSES, description="Cars.")


def labels_of(tracks: TrackTable) -> LabelTable:
    labels = np.zeros(len(tracks), LABEL_DTYPE)
    for name in ("t", "x", "y", "w", "h", "track_id", "class_id"):
        labels[name] = tracks[name]
    return labels


@pytest.fixture
def track_metrics() -> TrackMetrics:
    """Two labelled cars in one recording, of which one is tracked half of its way."""
    first, second = drive(1, whole_way()), drive(2, whole_way(), y=300)
    labels = labels_of(np.concatenate([first, second]))
    tracks = np.concatenate([first, second[:30]])
    order = np.lexsort((tracks["track_id"], tracks["t"]))
    key = "test/test_day_0001"
    return evaluate_tracks({key: labels}, {key: tracks[order]}, PROTOCOL, CLASSES)


@pytest.fixture
def count_metrics(make_traffic: Callable[..., Traffic]) -> CountMetrics:
    """Five recordings of two cars to the east, of which one is not counted in the first."""
    both = make_traffic(drive(1, whole_way()), drive(2, whole_way() + 5, y=300))
    one = make_traffic(drive(1, whole_way()))
    keys = [f"test/test_day_{number:04}" for number in range(1, 6)]
    return compare_counts(
        dict.fromkeys(keys, both.crossings),
        dict.fromkeys(keys, both.crossings) | {keys[0]: one.crossings},
        dict.fromkeys(keys, both.observed),
        CLASSES,
        CountProtocol(name="grid"),
    )


def test_the_report_has_the_sections_only_if_there_are_scores(
    metrics: Metrics, track_metrics: TrackMetrics, count_metrics: CountMetrics
) -> None:
    bare = ReportContent({"mine": metrics}, "mine")
    page = write_page(bare)
    assert 'id="tracks"' not in page
    assert 'id="counts"' not in page
    tracks, counts = {"mine": track_metrics}, {"grid": count_metrics}
    full = replace(
        bare,
        track_metrics=tracks,
        count_metrics=counts,
        figures=draw_score_figures(tracks, counts),
    )
    page = write_page(full)
    reader = Reader(page)
    assert all(address.startswith(("#", "data:")) for address in reader.addresses)
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert {"tracks", "counts"} <= links <= set(re.findall(r'id="([^"]*)"', page))
    assert "HOTA at each overlap" in page
    assert "True and counted crossings of each line" in page


def test_sections_are_none_without_scores() -> None:
    assert track_section({}) is None
    assert count_sections({}) == ()
    assert draw_score_figures({}, {}) == {}


def test_values_of_tracks_are_those_of_the_metrics(track_metrics: TrackMetrics) -> None:
    section = track_section({"mine": track_metrics})
    assert section is not None
    assert [value.name for value, _, _ in section.numbers] == [
        *("HOTA", "DetA", "AssA", "IDF1", "MOTA"),
    ]
    found = {value.name: number for value, number, _ in section.numbers}
    assert found["DetA"] == pytest.approx(90 / 120)
    assert section.protocols.rows[0][:2] == ("mine", track_metrics.overall["HOTA"])
    pedestrian, car = section.classes.rows
    assert pedestrian[:6] == ("pedestrian", *[None] * 5)
    assert car[-4:] == (0, 2, 2, 120)
    assert [row[0] for row in track_group_table(track_metrics).rows] == ["all", "day"]


def test_intervals_have_a_column_where_there_are_some(track_metrics: TrackMetrics) -> None:
    assert "interval" not in " ".join(track_class_table(track_metrics).header)
    interval = Interval(value=0.7, low=0.61, high=0.83)
    known = track_metrics.model_copy(update={"intervals": {"HOTA": interval}})
    table = track_group_table(known)
    assert table.header[-1] == "95 % interval of HOTA"
    assert table.rows[0][-1] == "0.610–0.830"  # noqa: RUF001
    section = track_section({"mine": known})
    assert section is not None
    assert section.numbers[0][2] == "0.61–0.83"  # noqa: RUF001


def test_errors_of_counts_are_told_by_line_and_bin(count_metrics: CountMetrics) -> None:
    assert count_table({"grid": count_metrics}).rows[0][:3] == ("grid", 20, 18)
    lines = {row[:2]: row[2:] for row in count_line_table(count_metrics).rows}
    assert lines["west", "in"][:2] == (10, 9)
    assert str(lines["west", "in"][2]).startswith("-10.0 % (")
    assert [row[0] for row in count_bin_table(count_metrics).rows] == ["1 min", "5 min", "15 min"]
    assert "GEH" in count_bin_table(count_metrics).header[-1]


def test_errors_and_shares_in_words() -> None:
    assert error_text(CountScores(true=0, counted=3)) == "–"  # noqa: RUF001
    scores = CountScores(true=100, counted=102, error=0.023, error_low=0.005, error_high=0.041)
    assert error_text(scores) == "+2.3 % (+0.5 to +4.1)"
    assert error_text(scores.model_copy(update={"error_low": None})) == "+2.3 %"
    share = Share(value=0.9931, low=0.986, high=0.997, number=1050)
    assert share_text(share) == "0.993 (0.986–0.997)"  # noqa: RUF001
    assert share_text(None) == "–"  # noqa: RUF001


def test_every_choice_of_a_protocol_is_told(track_metrics: TrackMetrics) -> None:
    changes = {
        "class_aware": False,
        "track_class": "moment",
        "moments": "grid",
        "interpolate_us": 100_000,
        "states": ("seen",),
        "min_side_px": 5,
        "least_speed": 0.3,
        "start_us": 500_000,
        "match_iou": 0.4,
    }
    usual = track_facts(track_metrics)
    for field, value in changes.items():
        protocol = track_metrics.protocol.model_copy(update={field: value})
        assert track_facts(track_metrics.model_copy(update={"protocol": protocol})) != usual, field


def test_it_is_told_why_there_is_no_interval(count_metrics: CountMetrics) -> None:
    assert "interval over 5 recordings" in " ".join(count_facts(count_metrics))
    none = count_metrics.model_copy(update={"no_interval": "there are too few"})
    assert "No interval of the error: there are too few." in count_facts(none)


def test_the_lines_of_a_figure_are_those_counted(count_metrics: CountMetrics) -> None:
    (axes,) = draw_score_figures({}, {"grid": count_metrics})["count_lines_grid"].axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    flows = [f"{line}, {way}" for line, ways in count_metrics.per_direction.items() for way in ways]
    assert names == flows
    assert {"west, in", "east, out"} <= set(names)
