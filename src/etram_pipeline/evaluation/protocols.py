"""The protocols known by name, as data; `docs/evaluation.md` tells where each comes from."""

from collections.abc import Mapping
from typing import TypeVar

from etram_pipeline.core import etram
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.metrics import MetricConfig
from etram_pipeline.evaluation.protocol import BoxProtocol, Protocol

_PROPHESEE = Protocol(
    name="prophesee",
    class_names=("car", "pedestrian"),
    classes_by="id",
    min_side_px=10,
    min_diagonal_px=30,
    start_us=500_000,
    tolerance_us=50_000,
    moments="all",
    ranking="class",
)
"""What all of RVT's evaluations share.

Source: RVT, `utils/evaluation/prophesee`; 10 and 30 px are those of Gen1 at full and those of the
1 Mpx sensor at half resolution.
"""


def _variant(base: Protocol, **changes: object) -> Protocol:
    return Protocol.model_validate(base.model_dump() | changes)


NAMED: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="etram_8class",
            description="Each of eTraM's eight classes for itself; no box left out.",
            class_names=etram.CLASSES,
            ties="together",
        ),
        _variant(
            _PROPHESEE,
            name="etram_3class",
            description="The three super-classes of eTraM as later papers score them.",
            classes_by="name",
            class_names=None,
            class_groups=etram.SUPER_CLASSES,
            pixel_scale=0.5,
        ),
        _variant(
            _PROPHESEE,
            name="etram_fork",
            description="What eTraM's code returns: class ids 0 to 2 taken for one class.",
            class_names=("pedestrian", "two-wheeler", "car"),
            class_aware=False,
            pixel_scale=0.5,
        ),
        _variant(
            _PROPHESEE,
            name="rvt_gen4",
            description="RVT on the 1 Mpx dataset at half resolution: class ids 0 to 2.",
            class_names=("pedestrian", "two-wheeler", "car"),
            pixel_scale=0.5,
        ),
        _variant(
            _PROPHESEE,
            name="rvt_gen1",
            description="RVT on the Gen1 dataset at full resolution: class ids 0 and 1.",
        ),
        Protocol(
            name="coco",
            description="COCO's metrics of all the tables' classes, at the labels' times.",
        ),
        Protocol(
            name="coco_masks",
            description="COCO's metrics of masks, then of boxes, of all the tables' classes.",
            metrics=tuple(
                MetricConfig.model_validate({"kind": kind})
                for kind in ("mask_average_precision", "average_precision")
            ),
        ),
    )
}
"""Every named protocol. To add one, add it here and to the table in `docs/evaluation.md`."""


Choice = Protocol | str | Mapping[str, object]
"""A protocol, the name of one, or its fields; among these `like` names one to take the rest of."""

_P = TypeVar("_P", bound=BoxProtocol)


def resolve_protocol(choice: Choice) -> Protocol:
    """The protocol meant.

    Raises:
        ProtocolError: If no protocol has that name, or a new one takes the name of another.
        ValueError: If a field is unknown or its value is not allowed.
    """
    protocol = Protocol.model_validate(expand_choice(choice, NAMED))
    check_names((protocol,), NAMED)
    return protocol


def expand_choice(
    choice: _P | str | Mapping[str, object], named: Mapping[str, _P]
) -> _P | dict[str, object]:
    """A protocol, or all the fields to make it from.

    Args:
        choice: A protocol, the name of one, or its fields.
        named: The protocols known by name.

    Raises:
        ProtocolError: If no protocol has the name given.
    """
    if isinstance(choice, BoxProtocol):
        return choice
    if isinstance(choice, str):
        return _find(choice, named)
    fields = dict(choice)
    base = fields.pop("like", None)
    if base is None:
        return fields
    if "name" not in fields:
        raise ProtocolError(f"a protocol like {base!r} needs a name of its own")
    return _find(str(base), named).model_dump() | {"description": ""} | fields


def check_names(protocols: tuple[_P, ...], named: Mapping[str, BoxProtocol]) -> tuple[_P, ...]:
    """The protocols as they are, if each name means one thing.

    Args:
        protocols: Those asked for.
        named: The protocols known by name.

    Raises:
        ProtocolError: If a name is there twice, or is that of another known protocol.
    """
    names = [protocol.name for protocol in protocols]
    for protocol in protocols:
        if names.count(protocol.name) > 1:
            raise ProtocolError(f"protocol {protocol.name!r} is asked for twice")
        known = named.get(protocol.name, protocol)
        if not known.same_as(protocol):
            raise ProtocolError(f"{protocol.name!r} means another protocol; choose a new name")
    return protocols


def _find(name: str, named: Mapping[str, _P]) -> _P:
    if name not in named:
        raise ProtocolError(unknown_name("protocol", name, named))
    return named[name]
