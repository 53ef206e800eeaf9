"""Parameters of reports."""

import subprocess
import sys

import pytest

from etram_pipeline.reports.settings import ReportSettings


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
