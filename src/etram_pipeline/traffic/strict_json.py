"""JSON without what other programs would read differently."""

import json
from typing import Any, NoReturn


def parse_json(text: str) -> Any:  # noqa: ANN401, whatever a file holds
    """The content of a text.

    Raises:
        ValueError: If it is no JSON, repeats a key in a mapping, or has numbers that are not
            finite; the message has one line.
    """
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_constant=_refused)
    except json.JSONDecodeError as error:
        message = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise ValueError(f"line {error.lineno}: it is no JSON: {message}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply to be lines and zones") from error


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:60]!r} is there twice: remove one of them")
        found[key] = value
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"it has the number {constant}, which JSON does not have: correct it")
