"""Parameters of reports."""

import subprocess
import sys

import pytest

from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.reports.settings import ReportSettings

JOINT = OperatingScores(protocol="coco", choices="", ranking="joint", common=0.4, per_class={})


def test_parameters_are_read_without_importing_what_draws() -> None:
    code = (
        "import sys, etram_pipeline.reports.settings; "
        "sys.exit(bool({'matplotlib', 'av', 'PIL', 'jinja2', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("wrong", [{"score_threshold": 1.5}, {"scale": 0}, {"score_treshold": 0.5}])
def test_impossible_or_unknown_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReportSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("asked", "known", "drawn"),
    [
        (None, None, 0.3),
        (None, JOINT, 0.4),
        # The score of detection tables is the joint one.
        (None, JOINT.model_copy(update={"ranking": "class"}), 0.3),
        (0.7, JOINT, 0.7),
        (0.0, JOINT, 0.0),
    ],
)
def test_the_operating_point_decides_what_is_drawn_unless_a_score_is_given(
    asked: float | None, known: OperatingScores | None, drawn: float
) -> None:
    settings = ReportSettings(score_threshold=asked)
    assert settings.drawn_score(known) == drawn
    assert settings.drawing(known).drawn_score() == drawn
