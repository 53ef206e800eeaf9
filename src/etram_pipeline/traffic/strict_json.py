"""JSON without what other programs would read differently."""

import json
from typing import Any, NoReturn

from etram_pipeline.core.errors import SiteError


def parse_json(text: str, where: str) -> Any:  # noqa: ANN401, whatever a file holds
    """The content of a file of lines and zones.

    Args:
        text: The text of the file.
        where: The file.

    Raises:
        SiteError: If it is no JSON, has a key twice in a mapping, or has numbers that are not
            finite.
    """
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise SiteError(f"{where}, line {error.lineno}: {_lowered(error.msg)}") from error
    except RecursionError as error:
        raise SiteError(f"{where} is nested too deeply to be lines and zones") from error
    except ValueError as error:
        raise SiteError(f"{where}: {_lowered(str(error))}") from error


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:60]!r} is there twice: remove one of them")
        found[key] = value
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"JSON does not have the number {constant}: correct it")


def _lowered(message: str) -> str:
    return f"{message[:1].lower()}{message[1:]}"
