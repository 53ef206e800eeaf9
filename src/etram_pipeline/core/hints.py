"""Type hints of settings: which values they accept, and where a value lies in them."""

from collections.abc import Collection, Mapping, Sequence
from operator import is_not
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

KEY = "[key]"
"""How pydantic marks an error about the key of a mapping, after the key itself."""


class NoNumber:
    """A boolean in the place of a number, for which Python would take it."""

    def __init__(self, value: object) -> None:
        self._text = str(value).lower()

    def __repr__(self) -> str:
        return self._text


def members(hint: object) -> list[Any]:
    """The types between the bars of a union, or the only type there is; without None."""
    origin = get_origin(hint)
    if origin is Annotated:
        return members(get_args(hint)[0])
    if origin in {Union, UnionType}:
        return [member for part in get_args(hint) for member in members(part)]
    return [] if hint is NoneType else [hint]


def choices(hint: object) -> list[str]:
    """The texts that a hint lists as literals, also those of items."""
    if get_origin(hint) is Literal:
        return [choice for choice in get_args(hint) if isinstance(choice, str)]
    return [choice for part in get_args(hint) for choice in choices(part)]


def path_of_value(hint: object, location: Sequence[int | str]) -> tuple[int | str, ...]:
    """Keys and positions that lead to a faulty value.

    Args:
        hint: Hint of the field that holds the value.
        location: pydantic's path inside the field, which also names members of unions.
    """
    kinds = members(hint)
    path = tuple(location[1:] if len(kinds) > 1 else location)
    if not path or KEY in path:
        return path
    items = [item for kind in kinds if (item := _hint_of_item(kind, path[0])) is not None]
    return (path[0], *path_of_value(items[0], path[1:])) if items else path


def without_booleans(hint: object, value: object) -> object:
    """A value in which nothing that must be a number is a boolean: it becomes a `NoNumber`."""
    if isinstance(value, bool):
        kinds = members(hint)
        return NoNumber(value) if {int, float} & set(kinds) and bool not in kinds else value
    if isinstance(value, str | int | float) or isinstance(hint, type) or hint is Any:
        return value  # not only quick: indices of stores hold thousands of these
    if isinstance(value, list | tuple):
        items = [_item_without_booleans(hint, *each) for each in enumerate(value)]
        return items if any(map(is_not, items, value)) else value
    if isinstance(value, Mapping):
        found = {key: _item_without_booleans(hint, key, each) for key, each in value.items()}
        return found if any(map(is_not, found.values(), value.values())) else value
    return value


def _item_without_booleans(hint: object, key: object, value: object) -> object:
    for kind in members(hint):
        if (item := _hint_of_item(kind, key)) is not None:
            value = without_booleans(item, value)
    return value


def _hint_of_item(kind: object, key: object) -> object | None:
    """Hint of an item of a list or mapping; None for other types, such as settings."""
    origin: Any = get_origin(kind)
    args: tuple[object, ...] = get_args(kind)
    if not isinstance(origin, type) or not args:
        return None
    if issubclass(origin, Mapping):
        return args[1]
    if issubclass(origin, tuple) and args[-1] is not ...:
        return args[key] if isinstance(key, int) and key < len(args) else None
    return args[0] if issubclass(origin, Collection) else None
