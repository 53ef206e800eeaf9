"""Kedro hooks that make a run pleasant to follow."""

import logging

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

logger = logging.getLogger(__name__)


class Announcement:
    """Says which node is at work."""

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the node's name, and what its inputs become."""
        outputs = ", ".join(node.outputs)
        logger.info("%s → %s", node.name, outputs)
