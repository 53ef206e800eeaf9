"""Types of previews in kedro-viz, which recognises each kind by the name of its type."""

from typing import Any, NewType

TablePreview = NewType("TablePreview", dict[str, Any])
"""A table in the format of `DataFrame.to_dict(orient="split")`."""

JSONPreview = NewType("JSONPreview", str)
"""A JSON document."""
