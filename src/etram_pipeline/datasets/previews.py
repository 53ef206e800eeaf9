"""What datasets show in kedro-viz, which tells kinds of preview apart by the name of their type."""

from typing import Any, NewType

TablePreview = NewType("TablePreview", dict[str, Any])
"""Rows as `DataFrame.to_dict(orient="split")` gives them."""

JSONPreview = NewType("JSONPreview", str)
"""A text in JSON."""
