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
    protocol_table,
    records_table,
)


def test_classes_have_their_counts_beside_their_scores(metrics: Metrics) -> None:
    table = class_table(metrics)
    assert table.header == ("class", "labels", "detections", "AP", "AP50", "AP75", "AR100")
    assert table.rows[1] == ("tram", 0, 3, None, None, None, None)
    assert table.rows[0][:3] == ("car", 1200, 1500)


def test_conditions_begin_with_all_recordings(metrics: Metrics) -> None:
    table = condition_table(metrics)
    assert [row[0] for row in table.rows] == ["all", "day", "night"]
    assert table.rows[2][1:] == (None,) * 6


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
        == "| class | AP |\n| --- | --: |\n| a\\|b | 0.123 |\n| tram | no labels |\n"
    )
    assert table.csv() == "class,AP\na|b,0.12345\ntram,\n"
