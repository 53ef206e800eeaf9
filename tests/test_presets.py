"""The presets are what they are named after."""

import pytest
from tests.conftest import OpenSession

from etram_pipeline.models.detectors import DetectorConfig

NUM_PARAMETERS = {"rvt_tiny": 4_406_311, "rvt_small": 9_871_911, "rvt_base": 18_538_791}
"""With eight classes and 20 channels. Source: RVT, counted on its own models."""


@pytest.mark.parametrize("env", ["local", "etram"])
@pytest.mark.parametrize("preset", NUM_PARAMETERS)
def test_rvt_presets_have_the_published_sizes(session: OpenSession, env: str, preset: str) -> None:
    with session(env, preset=preset) as active:
        config = active.load_context().params["detector"]
    assert isinstance(config, DetectorConfig)
    detector = config.build(in_channels=20, num_classes=8)
    assert sum(weight.numel() for weight in detector.parameters()) == NUM_PARAMETERS[preset]


def test_the_full_scale_run_trains_rvt_base_as_published(session: OpenSession) -> None:
    with session("etram") as active:
        parameters = active.load_context().params
    detector = parameters["detector"].build(in_channels=20, num_classes=8)
    assert sum(weight.numel() for weight in detector.parameters()) == NUM_PARAMETERS["rvt_base"]
    assert parameters["train"].max_steps == 400_000
    assert parameters["representation"].downsample == "nearest"
