"""Making the next items while one is used."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

Item = TypeVar("Item")

_END = object()


def read_ahead(items: Iterator[Item], num_ahead: int = 2) -> Generator[Item, None, None]:
    """The same items, the next `num_ahead` of which another thread makes while one is used.

    Closing this generator closes `items`, if they can be. An error in making an item is raised in
    its place.
    """
    with ThreadPoolExecutor(1) as pool:
        try:
            ahead = deque(pool.submit(_next, items) for _ in range(num_ahead))
            while (item := ahead.popleft().result()) is not _END:
                ahead.append(pool.submit(_next, items))
                yield cast("Item", item)
        finally:
            pool.shutdown(cancel_futures=True)
            if isinstance(items, Generator):
                items.close()


def _next(items: Iterator[Any]) -> object:
    return next(items, _END)
