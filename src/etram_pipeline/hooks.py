"""Kedro hooks that make a run pleasant to follow."""

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
from etram_pipeline.session import HeldHook

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext

logger = logging.getLogger(__name__)


class Collector:
    """Switches garbage collection on again when the first node runs; see `session.loading`."""

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """Switch it on."""
        gc.enable()


class Executors:
    """Closes executors as soon as all recordings are computed.

    A training that follows needs the memory, and machines of a cluster are wanted by others.
    """

    def __init__(self) -> None:
        self._to_save: set[str] = set()

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """See which datasets are computed on being saved."""
        outputs = pipeline.all_outputs()
        self._to_save = {name for name in outputs if hasattr(catalog.get(name), "executor")}

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """End it after the last of them."""
        self._to_save.discard(dataset_name)
        if not self._to_save:
            close_kept()


class Announcement(HeldHook):
    """Announces what a run will do, shows its progress, and prints its results."""

    def __init__(self) -> None:
        self._display = Display()
        self._loader: object = None
        self._folder = Path.cwd()  # the user's; a run itself works in the project

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Remember what knows where parameters come from."""
        self._loader = context.config_loader

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Say what is ahead, and begin to show how far it is."""
        asked = self._loader.asked() if isinstance(self._loader, ConfigLoader) else {}
        logger.info("%s", outline(pipeline, catalog, asked))
        self._display.start("starting")

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Show that the node waits for what it reads."""
        if not dataset_name.startswith("params:"):
            self._display.enter(node.name, f"reading {dataset_name}")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the node's name, and what its inputs become."""
        outputs = ", ".join(node.outputs)
        logger.info("%s → %s", node.name, outputs)
        self._display.enter(node.name)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Print what the run made, and where it is."""
        self._display.stop()
        print_results(pipeline, catalog, self._folder)

    @override
    def let_go(self) -> None:
        self._display.stop()
