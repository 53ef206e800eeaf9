"""Producing the next items of an iterator in another thread."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

Item = TypeVar("Item")

_END = object()


def prefetch(items: Iterator[Item], num_ahead: int = 2) -> Generator[Item, None, None]:
    """The same items, produced ahead of time by another thread.

    Closing this generator also closes `items` if it is a generator.

    Args:
        items: Any iterator.
        num_ahead: Items that are produced in advance.

    Raises:
        Exception: Whatever producing an item raises, when that item is due.
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
