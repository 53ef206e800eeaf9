"""Parameters by their full name."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def flatten(tree: object, prefix: str = "", *, with_items: bool = False) -> dict[str, Any]:
    """Nested mappings and typed parameters as one level: `{"train.optimizer.lr": 0.001}`.

    Args:
        tree: Parameters; an empty mapping inside stays as it is.
        prefix: Their own full name.
        with_items: Whether items of lists have names, too, such as `labels.filters.0.kind`.
    """
    if isinstance(tree, BaseModel):
        tree = tree.model_dump(mode="json", serialize_as_any=True)
    if with_items and isinstance(tree, list):
        tree = dict(enumerate(tree))
    if not isinstance(tree, Mapping) or not tree:
        return {prefix: tree} if prefix else {}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        flat |= flatten(value, name, with_items=with_items)
    return flat
