"""Parameters that turn a recording into representations."""

from typing import Any

from etram_pipeline.core.component import Settings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig


class EncodingSettings(Settings):
    """How a recording is cut into windows, and how each window is encoded.

    Attributes:
        windows: Where windows end, and how long they are.
        representation: How the events of a window become a tensor.
    """

    windows: WindowConfig
    representation: RepresentationConfig

    def as_plain_data(self) -> dict[str, Any]:
        """The settings as stored files and checkpoints hold them."""
        return self.model_dump(mode="json", serialize_as_any=True)
