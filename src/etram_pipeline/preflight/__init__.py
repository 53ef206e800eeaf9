"""Checks configuration and data before the first node runs.

Each module has a function `check` for one concern. All faults are reported together, because each
of them would end the run, often hours later.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.preflight import (
    classes,
    deployment,
    detections,
    files,
    masks,
    memory,
    names,
    plugins,
    scores,
    space,
    splits,
    stored,
    traffic,
    training,
)
from etram_pipeline.preflight.run import UNREADABLE, Notice, Run
from etram_pipeline.session import explain
from etram_pipeline.yaml_files import ConfigurationError

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext

logger = logging.getLogger(__name__)

CHECKS: tuple[Callable[[Run], Iterable[Notice]], ...] = (
    files.check,
    splits.check,
    names.check,
    classes.check,
    detections.check,
    stored.check,
    scores.check,
    plugins.check,
    deployment.check,
    training.check,
    masks.check,
    memory.check,
    space.check,
    traffic.check,
)


class Preflight:
    """Refuses runs that would fail, or that would not do what was asked for."""

    def __init__(self) -> None:
        self._loader: object = None

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Keep the configuration loader, which knows the source of each parameter."""
        self._loader = context.config_loader

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Run all checks; warnings are logged.

        Raises:
            ConfigurationError: If there are faults; has a line for each.
        """
        asked = self._loader.asked() if isinstance(self._loader, ConfigLoader) else {}
        run = Run(pipeline, catalog, asked, run_params.get("runtime_params") or {})
        notices = collect_notices(run)
        for notice in notices:
            if not notice.is_fault:
                logger.warning("%s", notice.message)
        faults = [notice.message for notice in notices if notice.is_fault]
        if len(faults) > 1:
            lines = "".join(f"\n  {fault}" for fault in faults)
            raise ConfigurationError(
                f"{len(faults)} faults were found before the run began:{lines}"
            )
        if faults:
            raise ConfigurationError(faults[0])


def collect_notices(run: Run) -> list[Notice]:
    """The notices of all checks, each once; a file that cannot be read is a fault as well."""
    found: list[Notice] = []
    for check in CHECKS:
        try:
            found += check(run)
        except UNREADABLE as error:
            found.append(Notice(explain(error)))
    return list(dict.fromkeys(found))
