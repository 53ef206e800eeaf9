"""Whether two sets of tables are of the same recordings."""

from collections.abc import Collection
from typing import Literal

_REMEDIES = {
    "detections": "predict them, or give an empty table where nothing was detected",
    "tracks": "track them, or give an empty table where nothing was tracked",
}
_SHOWN = 5


def check_recordings(
    labelled: Collection[str], found: Collection[str], what: Literal["detections", "tracks"]
) -> None:
    """Refuse tables that are not of the same recordings.

    Args:
        labelled: Recordings with a table of labels.
        found: Recordings with a table of what was found.
        what: What was found.

    Raises:
        ValueError: If there are none, or some have one of the tables only.
    """
    if not labelled:
        raise ValueError("there is no recording to evaluate")
    missing = sorted(set(labelled) - set(found))
    unknown = sorted(set(found) - set(labelled))
    if missing:
        raise ValueError(
            f"recordings {_shortened(missing)} have no table of {what}; {_REMEDIES[what]}"
        )
    if unknown:
        raise ValueError(
            f"there are {what} of recordings {_shortened(unknown)}, but no labels; "
            "leave them out, or give an empty table where nothing is there"
        )


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{names[:_SHOWN]}{more}"
