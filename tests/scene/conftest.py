"""Small scenes, simulated once for all tests."""

import pytest

from etram_pipeline.core.recording import Events
from etram_pipeline.scene.labels import BoxTable
from etram_pipeline.scene.scene import simulate
from etram_pipeline.scene.settings import SceneSettings

Simulated = tuple[Events, BoxTable]


@pytest.fixture(scope="session")
def small() -> SceneSettings:
    """A sensor of 96 by 160 px that looks for half a second."""
    return SceneSettings(height=96, width=160, duration_s=0.5)


@pytest.fixture(scope="session")
def day(small: SceneSettings) -> Simulated:
    """Events and boxes of the small scene by day."""
    return simulate(small, seed=3)


@pytest.fixture(scope="session")
def night(small: SceneSettings) -> Simulated:
    """Events and boxes of the small scene by night."""
    return simulate(small.model_copy(update={"night": True}), seed=3)


@pytest.fixture(scope="session", params=["day", "night"])
def either(request: pytest.FixtureRequest) -> Simulated:
    """Both in turn."""
    simulated: Simulated = request.getfixturevalue(request.param)
    return simulated
