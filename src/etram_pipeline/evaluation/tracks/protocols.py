"""The protocols of tracks known by name, as data."""

from collections.abc import Mapping

from etram_pipeline.core import etram
from etram_pipeline.evaluation.protocols import NAMED, check_names, expand_choice
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol

TRACK_PROTOCOLS: Mapping[str, TrackProtocol] = {
    protocol.name: protocol
    for protocol in (
        TrackProtocol(
            name="etram_tracks_8class",
            description="Each of eTraM's eight classes for itself, at the labelled frames.",
            class_names=etram.CLASSES,
        ),
        TrackProtocol(
            name="etram_tracks_3class",
            description="The three super-classes of eTraM, at the labelled frames.",
            class_groups=etram.SUPER_CLASSES,
        ),
        TrackProtocol(
            name="etram_tracks_any",
            description="All classes as one, at the labelled frames: the tracker alone.",
            class_aware=False,
        ),
        TrackProtocol(
            name="etram_tracks_30hz",
            description="Each of eTraM's eight classes at the 30 Hz of its label files.",
            class_names=etram.CLASSES,
            interpolate_us=100_000,
        ),
    )
}
"""Every named protocol of tracks. To add one, add it here and to `docs/evaluation.md`."""

TrackChoice = TrackProtocol | str | Mapping[str, object]
"""A protocol, the name of one, or its fields; among these `like` names one to take the rest of."""


def resolve_track_protocol(choice: TrackChoice) -> TrackProtocol:
    """The protocol meant.

    Raises:
        ProtocolError: If no protocol has that name, or a new one takes the name of another.
        ValueError: If a field is unknown or its value is not allowed.
    """
    protocol = TrackProtocol.model_validate(expand_choice(choice, TRACK_PROTOCOLS))
    return check_track_names((protocol,))[0]


def check_track_names(protocols: tuple[TrackProtocol, ...]) -> tuple[TrackProtocol, ...]:
    """The protocols as they are, if each name means one thing; detections share the names.

    Raises:
        ProtocolError: If a name is there twice, or is that of another known protocol.
    """
    return check_names(protocols, {**NAMED, **TRACK_PROTOCOLS})
