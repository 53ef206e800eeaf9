"""Types of previews that kedro-viz shows; it recognises them by their names.

`kedro_datasets` has the same types, but in a private module.
"""

from typing import Any, NewType

TablePreview = NewType("TablePreview", dict[str, Any])
JSONPreview = NewType("JSONPreview", str)
