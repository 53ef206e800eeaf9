"""Names of metrics that MLflow accepts, and that stay distinct.

MLflow allows letters, digits, `_`, `-`, `.`, spaces, `:` and `/`, and 250 characters. Such names
are unchanged, except that `:` marks replaced characters.
"""

import hashlib
import re
from collections.abc import Iterable

_LONGEST = 250
_DIGEST_CHARACTERS = 16


def metric_part(text: str, *, lower_only: bool = False) -> str:
    """One part of a name, between slashes; forbidden characters become `:<hex>:`.

    Args:
        text: Any text, such as the name of a class.
        lower_only: Whether to replace upper-case letters too, for servers that ignore case.
    """
    if text.strip(".") == "":
        return "".join(map(_replaced, text)) or "::"
    pattern = r"[^\w.\- ]|^ | $" + (r"|[^\W\d_a-z]" if lower_only else "")
    return re.sub(pattern, lambda match: _replaced(match[0]), text)


def original_part(name: str) -> str:
    """The text that `metric_part` made a part of a name from."""
    return re.sub(r":([0-9a-f]+):", lambda match: chr(int(match[1], 16)), name)


def metric_name(*parts: str, lower_only: bool = False) -> str:
    """A name of several parts, shortened to MLflow's limit."""
    name = "/".join(metric_part(part, lower_only=lower_only) for part in parts)
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{name[: _LONGEST - len(digest) - 2]}::{digest}"


def metric_names(names: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """A name for each tuple of parts; all names differ, even to a server that ignores case."""
    distinct = list(dict.fromkeys(names))
    alike: dict[str, int] = {}
    for parts in distinct:
        folded = metric_name(*parts).casefold()
        alike[folded] = alike.get(folded, 0) + 1
    return {
        parts: metric_name(*parts, lower_only=alike[metric_name(*parts).casefold()] > 1)
        for parts in distinct
    }


def _replaced(character: str) -> str:
    return f":{ord(character):x}:"
