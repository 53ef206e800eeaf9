"""Trackers, online: each window continues, starts and ends tracks."""

from typing import ClassVar

from etram_pipeline.core.component import Component


class TrackerConfig(Component):
    """Settings of a tracker."""

    package: ClassVar[str] = __name__
    default_kind: ClassVar[str | None] = "static_camera"
