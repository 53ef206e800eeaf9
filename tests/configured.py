"""The configuration as a run reads it, for the tests that hold pages against it."""

from functools import cache
from typing import Any

from kedro.framework.project import configure_project
from tests.conftest import PROJECT

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.parameter_types import parameter_types
from etram_pipeline.settings import CONFIG_LOADER_ARGS


@cache
def loader(env: str) -> ConfigLoader:
    """Loader of an environment."""
    options: dict[str, Any] = CONFIG_LOADER_ARGS
    return ConfigLoader(str(PROJECT / "conf"), env, {}, **options)


@cache
def parameters(env: str) -> dict[str, Any]:
    """Typed parameters of an environment."""
    configure_project("etram_pipeline")
    types = parameter_types()
    raw = loader(env)["parameters"]
    return {key: types[key].model_validate(value) for key, value in raw.items()}
