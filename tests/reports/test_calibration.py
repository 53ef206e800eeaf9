"""Reliability of scores, as people read it."""

from collections.abc import Sequence

import numpy as np
import pytest

from etram_pipeline.analysis.reliability import (
    CalibrationResult,
    Reliability,
    measure_reliability,
)
from etram_pipeline.core.calibration import Calibration
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.calibration import (
    calibration_facts,
    calibration_section,
    calibration_table,
)
from etram_pipeline.reports.calibration_figures import draw_calibration_figures
from etram_pipeline.reports.figure_style import figure_svg
from etram_pipeline.reports.page import ReportContent, write_page

CALIBRATION = Calibration.model_validate(
    {
        "protocol": "mine",
        "choices": "0",
        "num_detections": 500,
        "scaling": {"kind": "temperature", "temperature": 0.56},
    }
)


def reliability(*groups: tuple[float, int, int]) -> Reliability:
    """Of groups of detections with one score each: score, number, number that is right."""
    scores = np.concatenate([np.full(number, score) for score, number, _ in groups])
    is_right = np.concatenate([np.arange(number) < right for _, number, right in groups])
    return measure_reliability(scores, is_right)


def result_of(overall: Reliability, **others: object) -> CalibrationResult:
    about = {"protocol": "mine", "split": "test", "iou": 0.5, "lowest_score": 0.05}
    per_class = {"car": overall, "tram": measure_reliability(np.zeros(0), np.zeros(0, bool))}
    return CalibrationResult.model_validate(
        {**about, "overall": overall, "per_class": per_class, **others}
    )


UNCERTAIN = reliability((0.225, 200, 10), (0.825, 300, 297))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (
            ((0.225, 200, 10), (0.825, 300, 150)),
            "Scores are too high. Of the 300 detections scored",
        ),
        (((0.225, 200, 90), (0.825, 300, 297)), "Scores are too low. Of the 300 detections scored"),
        (((0.225, 200, 10), (0.825, 300, 297)), "not certain enough: low ones are too high, high"),
        (((0.225, 200, 90), (0.825, 300, 150)), "too certain: low ones are too low, high ones too"),
        (
            ((0.225, 200, 45), (0.825, 400, 330)),
            "Scores can be read as probabilities, within a few percent.",
        ),
    ],
)
def test_the_page_says_in_words_how_scores_are_wrong(
    groups: Sequence[tuple[float, int, int]], said: str
) -> None:
    assert said in calibration_facts(result_of(reliability(*groups)))[1]


def test_the_worst_scores_are_the_example() -> None:
    _, example, _ = calibration_facts(result_of(UNCERTAIN))
    assert "Of the 300 detections scored 0.80 to 0.85, 99 % are right." in example


def test_the_effect_of_the_scaling_is_stated_or_why_it_is_not_known() -> None:
    scaled = result_of(UNCERTAIN, calibration=CALIBRATION, scaled_overall=reliability((0.5, 9, 5)))
    assert calibration_facts(scaled)[-1].startswith(
        "Temperature 0.56, fitted to 500 detections in the validation recordings, leaves an error "
        "of 0.056. `predict.calibrated=true` applies"
    )
    unknown = result_of(UNCERTAIN, no_calibration="train for longer")
    assert calibration_facts(unknown)[-1] == "No scaling was tried: train for longer."
    stored = calibration_facts(result_of(UNCERTAIN, are_calibrated=True))
    assert stored[0].startswith("Calibrated scores differ from the share of right detections")
    assert "`predict.calibrated`" in stored[-1]


def test_classes_without_detections_have_no_numbers() -> None:
    table = calibration_table(
        result_of(
            UNCERTAIN,
            calibration=CALIBRATION,
            scaled_overall=UNCERTAIN,
            scaled_per_class={"car": UNCERTAIN, "tram": reliability((0.5, 0, 0))},
        )
    )
    assert table.header[-2:] == ("calibration error", "error when scaled")
    assert table.rows[0][:2] == ("all", 500)
    assert table.rows[2] == ("tram", 0, None, None, None, None)


def test_figures_show_what_there_is() -> None:
    scaled = {"calibration": CALIBRATION, "scaled_overall": reliability((0.5, 500, 250))}
    figures = draw_calibration_figures({"mine": result_of(UNCERTAIN, **scaled)})
    assert list(figures) == ["reliability"]  # a single class needs no diagram of its own
    assert "as detected" in figure_svg(figures["reliability"])
    per_class = {"car": UNCERTAIN, "tram": UNCERTAIN, "bus": reliability((0.5, 99, 50))}
    figures = draw_calibration_figures({"mine": result_of(UNCERTAIN, per_class=per_class)})
    svg = figure_svg(figures["class_reliability"])
    assert [name in svg for name in per_class] == [True, True, False]
    assert draw_calibration_figures({"mine": result_of(reliability((0.5, 0, 0)))}) == {}


def test_the_page_has_a_section_if_anything_was_detected(metrics: Metrics) -> None:
    results = {"mine": result_of(UNCERTAIN, no_calibration="train for longer")}
    content = ReportContent(
        {"mine": metrics}, "mine", draw_calibration_figures(results), calibration=results
    )
    html = write_page(content)
    assert 'href="#calibration"' in html
    assert "Of the 300 detections scored 0.80 to 0.85, 99 % are right." in html
    assert calibration_section({"mine": result_of(reliability((0.5, 0, 0)))}) is None
    assert 'id="calibration"' not in write_page(ReportContent({"mine": metrics}, "mine"))
