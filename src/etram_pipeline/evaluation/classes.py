"""Which class ids of the tables count, and as what."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.protocol import BoxProtocol

NOT_SCORED = -1


@dataclass(frozen=True)
class ScoredClasses:
    """The classes that count.

    Attributes:
        names: Their names, in the order of the report.
        index_of_id: Position in `names` of each class id of the tables, `NOT_SCORED` if none.
    """

    names: tuple[str, ...]
    index_of_id: Int64[np.ndarray, " I"]


def scored_classes(
    protocol: BoxProtocol, class_names: tuple[str, ...] | None, num_ids: int
) -> ScoredClasses:
    """The classes that count under `protocol`.

    Args:
        protocol: Says which.
        class_names: Name of each class id of the tables; None: the ids are positions in the
            protocol's classes, or, where it has none, classes of their own.
        num_ids: One more than the largest class id in the tables.

    Raises:
        ProtocolError: If the protocol asks for a class that the tables do not have, or the tables
            hold an id that has no name.
    """
    if protocol.classes_by == "id":
        names = (class_names or protocol.class_names or ())[: len(protocol.class_names or ())]
        return _by_position(names, num_ids)
    if class_names is None:
        own = tuple(f"class_{class_id}" for class_id in range(num_ids))
        names = own if protocol.scored_classes is None else protocol.scored_classes
    else:
        names = class_names
    if num_ids > len(names):
        raise ProtocolError(
            f"the tables hold class id {num_ids - 1}, but the classes are {names}; "
            "pass class_names=, the name of every class id"
        )
    if class_names is None or protocol.scored_classes is None:
        return _by_position(names, num_ids)
    return _by_name(protocol, class_names)


def _by_position(names: tuple[str, ...], num_ids: int) -> ScoredClasses:
    index_of_id = np.arange(num_ids, dtype=np.int64)
    return ScoredClasses(names, np.where(index_of_id < len(names), index_of_id, NOT_SCORED))


def _by_name(protocol: BoxProtocol, class_names: tuple[str, ...]) -> ScoredClasses:
    names = protocol.scored_classes or ()
    members: Mapping[str, tuple[str, ...]] = {name: (name,) for name in names}
    if not set(names) <= set(class_names):
        members = protocol.class_groups or members
    missing = sorted({name for group in members.values() for name in group} - set(class_names))
    if missing:
        raise ProtocolError(
            f"protocol {protocol.name!r} counts the classes {missing}, but the tables have "
            f"{class_names}; choose a protocol for these classes, such as "
            f"{protocol.for_any_classes!r}"
        )
    index_of_id = np.full(len(class_names), NOT_SCORED, np.int64)
    for index, name in enumerate(names):
        for member in members[name]:
            index_of_id[class_names.index(member)] = index
    return ScoredClasses(names, index_of_id)
