"""Kedro hooks that make a run pleasant to follow."""

import logging
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from etram_pipeline.sequences.executors import close_kept

logger = logging.getLogger(__name__)


class Executors:
    """Ends what recordings are computed on as soon as nothing more is to compute.

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


class Announcement:
    """Says which node is at work."""

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the node's name, and what its inputs become."""
        outputs = ", ".join(node.outputs)
        logger.info("%s → %s", node.name, outputs)
