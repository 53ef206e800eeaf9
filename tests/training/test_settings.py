"""Parameters of training and prediction."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.training.settings import TrainSettings, ValidationSettings


def test_reading_parameters_imports_nothing_heavy() -> None:
    script = (
        "import sys; import etram_pipeline.training.settings; "
        "heavy = {'torch', 'pytorch_lightning', 'h5py', 'pandas', 'mlflow'} & set(sys.modules); "
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_several_devices_need_a_launcher() -> None:
    with pytest.raises(ValueError, match="4 devices need a launcher, such as 'torchrun"):
        TrainSettings(devices=4)
    assert TrainSettings(devices=4, launcher="torchrun --nproc-per-node=4").devices == 4


def test_what_decides_the_result_leaves_out_where_it_is_computed() -> None:
    here = TrainSettings(workers=2, accelerator="cpu", checkpoint_every_steps=5)
    there = TrainSettings(devices=4, launcher="srun python", log_every_steps=3)
    assert here.outcome() == there.outcome()
    assert here.outcome() != TrainSettings(seed=1).outcome()
    assert here.outcome() != TrainSettings(max_steps=5).outcome()


def test_parameters_survive_json() -> None:
    settings = TrainSettings(freeze=("backbone",), average_decay=0.9)
    assert TrainSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("settings", [TrainSettings, PredictSettings])
@pytest.mark.parametrize(
    ("workers", "told"),
    [
        (-1, "workers: must be at least 0 or 'auto', not -1"),
        ("two", "workers: must be a whole number or 'auto', not 'two'"),
    ],
)
def test_workers_are_none_or_more(
    settings: type[TrainSettings | PredictSettings], workers: object, told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        settings.model_validate({"workers": workers})
    assert describe_errors(caught.value) == [told]


def test_a_training_is_not_validated_with_a_latency() -> None:
    protocol = {"like": "coco", "name": "live", "latency_ms": 40}
    with pytest.raises(
        ValidationError, match="'live' has a latency, which needs detections in all"
    ):
        ValidationSettings.model_validate({"protocol": protocol})
