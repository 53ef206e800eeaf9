"""Kedro hooks that show a run and manage its executors."""

import gc
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from typing_extensions import override

from etram_pipeline.builds.executors import close_kept
from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.core.display import Display
from etram_pipeline.run_summary import outline, print_results
from etram_pipeline.session import ResourceHook

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext

logger = logging.getLogger(__name__)


class Collector:
    """Enables garbage collection again when the first node runs; see `session.loading`."""

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """Enable garbage collection."""
        gc.enable()


class Executors:
    """Closes executors as soon as all recordings are computed.

    A training that follows needs the memory, and others need the machines of a cluster.
    """

    def __init__(self) -> None:
        self._to_save: set[str] = set()

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Find the datasets that are computed when they are saved."""
        outputs = pipeline.all_outputs()
        self._to_save = {name for name in outputs if hasattr(catalog.get(name), "executor")}

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Close the executor after the last of them."""
        self._to_save.discard(dataset_name)
        if not self._to_save:
            close_kept()


class Announcement(ResourceHook):
    """Logs what a run will do, shows its progress, and prints its results."""

    def __init__(self) -> None:
        self._display = Display()
        self._loader: object = None
        self._folder = Path.cwd()  # the user's; a run itself works in the project

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Keep the configuration loader, which knows the source of each parameter."""
        self._loader = context.config_loader

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Log what the run will do, and start the progress display."""
        asked = self._loader.asked() if isinstance(self._loader, ConfigLoader) else {}
        logger.info("%s", outline(pipeline, catalog, asked))
        self._display.start("starting")

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Show which dataset the node is loading."""
        if not dataset_name.startswith("params:"):
            self._display.enter(node.name, f"reading {dataset_name}")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the node's name and its outputs."""
        outputs = ", ".join(node.outputs)
        logger.info("%s → %s", node.name, outputs)
        self._display.enter(node.name)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Print the results of the run and their paths."""
        self._display.stop()
        print_results(pipeline, catalog, self._folder)

    @override
    def release(self) -> None:
        self._display.stop()
