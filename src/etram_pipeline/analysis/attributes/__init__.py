"""Attributes of labelled objects, each in a module of its own; to add one, list it here."""

from etram_pipeline.analysis.attributes import (
    border_distance,
    event_density,
    moving_time,
    occlusion,
    speed,
)
from etram_pipeline.analysis.attributes.attribute import Attribute, LabelledRecording

ATTRIBUTES: tuple[Attribute, ...] = tuple(
    module.ATTRIBUTE for module in (speed, moving_time, event_density, occlusion, border_distance)
)

__all__ = ["ATTRIBUTES", "Attribute", "LabelledRecording"]
