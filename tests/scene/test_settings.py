import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from etram_pipeline.core import etram
from etram_pipeline.scene.settings import SceneSettings


def test_unknown_class_is_named() -> None:
    with pytest.raises(ValidationError, match="scooter"):
        SceneSettings(class_weights={"scooter": 1.0})


def test_negative_weight_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not be negative"):
        SceneSettings(class_weights={"tram": -1.0})


def test_street_without_anybody_is_refused() -> None:
    with pytest.raises(ValidationError, match="leave no class"):
        SceneSettings(class_weights=dict.fromkeys(etram.CLASSES, 0.0))


def test_duration_is_a_whole_number_of_steps() -> None:
    assert SceneSettings(duration_s=0.0101, step_us=4000).duration_us == 12_000
    assert SceneSettings(duration_s=0.0001, step_us=4000).duration_us == 4000


def test_settings_import_nothing_heavy() -> None:
    code = (
        "import sys, etram_pipeline.scene.settings\n"
        "print(sorted({'numba', 'h5py', 'torch', 'pandas'} & sys.modules.keys()))"
    )
    source = Path(__file__).parents[2] / "src"
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(source)!r})\n{code}"]
    assert subprocess.run(run, capture_output=True, check=True, text=True).stdout == "[]\n"
