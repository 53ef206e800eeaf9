"""A mapping whose values are made when they are asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from typing_extensions import override

Value = TypeVar("Value")


class LazyMapping(Mapping[str, Value]):
    """A mapping whose values are made when they are asked for, and not kept."""

    def __init__(self, keys: Sequence[str], make: Callable[[str], Value]) -> None:
        """Map some keys to what `make` returns for each."""
        self._keys = dict.fromkeys(keys)
        self._make = make

    def __getitem__(self, key: str) -> Value:
        if key not in self._keys:
            raise KeyError(key)
        return self._make(key)

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
