"""Tables of metrics."""

from collections.abc import Callable

import numpy as np

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.tables import (
    Table,
    class_table,
    condition_table,
    mistake_table,
    operating_table,
    protocol_table,
    records_table,
    size_table,
)


def test_classes_have_their_counts_beside_their_scores(metrics: Metrics) -> None:
    table = class_table(metrics)
    assert table.header == ("class", "labels", "detections", "AP", "AP50", "AP75", "AR100")
    assert table.rows[1] == ("tram", 0, 3, None, None, None, None)
    assert table.rows[0][:3] == ("car", 1200, 1500)


def test_conditions_begin_with_all_recordings(metrics: Metrics) -> None:
    table = condition_table(metrics)
    assert [row[0] for row in table.rows] == ["all", "day", "night"]
    assert table.header == ("recordings", "labels", "AP", "AP50", "AP75")
    assert [row[1] for row in table.rows] == [1200, 1200, 0]
    assert table.rows[2][2:] == (None,) * 3


def test_sizes_have_the_number_of_labels_that_each_value_rests_on(metrics: Metrics) -> None:
    table = size_table(metrics)
    assert table.header == ("size", "area", "recordings", "labels", "AP")
    assert len(table.rows) == 9
    assert table.rows[0] == ("small", "up to 32² px", "all", 3, metrics.overall["AP_S"])
    assert table.rows[2] == ("small", "up to 32² px", "night", 0, None)


def test_results_without_counts_have_dashes_for_them(make_metrics: Callable[..., Metrics]) -> None:
    former = make_metrics(label_counts={})
    assert {row[3] for row in size_table(former).rows} == {"\N{EN DASH}"}
    assert {row[1] for row in condition_table(former).rows} == {"\N{EN DASH}"}


def test_the_operating_point_is_shown_beside_ap(metrics: Metrics) -> None:
    table = operating_table(metrics)
    counts = ("score", "precision", "recall", "F1", "detections")
    assert table.header == ("class", "labels", "AP", "AP50", *counts)
    ap, ap_50 = metrics.overall["AP"], metrics.overall["AP_50"]
    assert table.rows == (
        ("car", 1200, ap, ap_50, 0.37, 0.8, 0.6, 0.6857, 900),
        ("tram", 0, None, None, 0.41, None, None, None, 2),
        ("all classes", 1200, ap, ap_50, 0.41, 0.75, 0.5, 0.6, 800),
    )


def test_without_an_operating_point_there_is_no_table(make_metrics: Callable[..., Metrics]) -> None:
    assert not operating_table(make_metrics(operating_point=None)).rows


def test_protocols_say_whether_they_tell_classes_apart(
    make_metrics: Callable[..., Metrics],
) -> None:
    agnostic = make_metrics(protocol=Protocol(name="loose", class_aware=False))
    table = protocol_table({"mine": make_metrics(), "loose": agnostic})
    assert [(row[0], row[-1]) for row in table.rows] == [
        ("mine", "yes"),
        ("loose", "no: classes not told apart"),
    ]


def test_metric_that_a_protocol_lacks_is_a_dash_not_missing_ground_truth(
    make_metrics: Callable[..., Metrics],
) -> None:
    table = protocol_table({"mine": make_metrics(overall={"AP": 0.5, "AP_50": -1.0})})
    assert table.rows[0][1:4] == (0.5, None, "\N{EN DASH}")


def test_mistakes_come_by_frequency_without_what_was_right_or_false(metrics: Metrics) -> None:
    assert mistake_table(metrics).rows == (
        ("car", "missed", 200, 200 / 1200),
        ("car", "tram", 100, 100 / 1200),
    )


def test_records_keep_their_columns_and_become_plain_values() -> None:
    table = records_table(
        [
            {"recording": "a", "num_events": np.int64(7), "rate_hz": np.float32(0.5)},
            {"recording": "b", "num_events": float("nan")},
        ]
    )
    assert table.header == ("recording", "num events", "rate hz")
    assert table.rows == (("a", 7, 0.5), ("b", "", ""))
    assert records_table([]) == Table((), ())


def test_markdown_and_csv_hold_the_same_rows() -> None:
    table = Table(("class", "AP"), (("a|b", 0.12345), ("tram", None)))
    assert (
        table.markdown()
        == "| class | AP |\n| --- | --: |\n| a\\|b | 0.123 |\n| tram | \N{MINUS SIGN} |\n"
    )
    assert table.csv() == "class,AP\na|b,0.12345\ntram,\n"
