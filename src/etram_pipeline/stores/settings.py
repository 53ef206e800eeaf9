"""Parameters of what is stored between preprocessing and training."""

from typing import Literal

from etram_pipeline.core.component import Settings

Profile = Literal["archive", "training"]
"""How stored images are compressed."""


class StorageSettings(Settings):
    """How stored representations are compressed, and when they are out of date.

    Attributes:
        profile: `archive` is small (Zstandard), `training` is larger and faster to read
            (LZ4).
        check_content: Tell changed recordings and label files by a hash of their content, which
            costs reading them whole, instead of by size and time of change.
    """

    profile: Profile = "archive"
    check_content: bool = False
