"""Communication between the processes of distributed training; also works with one process."""

from functools import lru_cache
from typing import Any, TypeVar, cast

from torch import Tensor, distributed

Value = TypeVar("Value")


def num_ranks() -> int:
    """Processes that train together."""
    return distributed.get_world_size() if _is_one_of_many() else 1


def sum_over_ranks(values: Tensor) -> Tensor:
    """Sum over all processes, without gradient; every process must call this."""
    if not _is_one_of_many():
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def gather_over_ranks(value: Value) -> list[Value]:
    """The values of all processes, in order of rank; every process must call this."""
    if not _is_one_of_many():
        return [value]
    gathered: list[Any] = [None] * num_ranks()
    distributed.all_gather_object(gathered, value, group=_cpu_group(distributed.group.WORLD))
    return gathered


def gather_to_first_rank(value: object) -> list[object]:
    """The values of all processes, in order of rank; empty except in the first process."""
    if not _is_one_of_many():
        return [value]
    is_first = distributed.get_rank() == 0
    gathered: list[object] = [None] * (num_ranks() if is_first else 0)
    wanted = gathered if is_first else None
    distributed.gather_object(value, wanted, group=_cpu_group(distributed.group.WORLD))
    return gathered


@lru_cache(1)
def _cpu_group(everyone: distributed.ProcessGroup | None) -> distributed.ProcessGroup | None:
    """The same processes, communicating by CPU: gathered values may not fit into a GPU."""
    if distributed.get_backend(everyone) == "gloo":
        return everyone
    return cast(distributed.ProcessGroup, distributed.new_group(backend="gloo"))


def _is_one_of_many() -> bool:
    return distributed.is_available() and distributed.is_initialized()
