"""Nested mappings, as configuration and parameters are."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """`lower` updated with `upper`; mappings are merged unless `upper` has another `kind`."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            other_kind = "kind" in value and value["kind"] != below.get("kind")
            merged[key] = dict(value) if other_kind else merge(below, value)
        else:
            merged[key] = value
    return merged


def paths_to(key: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Dotted paths of a key below the top: `predict.lanes`, `train.lanes`."""
    for name, inner in parameters.items():
        if isinstance(inner, Mapping):
            found = [key] if key in inner else []
            yield from (f"{name}.{path}" for path in [*found, *paths_to(key, inner)])


def flatten(tree: object, prefix: str = "", *, with_items: bool = False) -> dict[str, Any]:
    """Nested mappings and typed parameters as one mapping: `{"train.optimizer.lr": 0.001}`.

    Args:
        tree: Parameters; an empty mapping inside is kept.
        prefix: Dotted name of the tree itself.
        with_items: Whether items of lists get names too, such as `labels.filters.0.kind`.
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
