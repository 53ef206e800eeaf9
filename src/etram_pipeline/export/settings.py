"""Settings of the export."""

from typing import Literal

from pydantic import Field, field_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.export.pictures import PictureConfig

Split = Literal["train", "val", "test"]
Format = Literal["coco", "yolo"]


class ExportSettings(Settings):
    """Content and formats of the exported dataset.

    Attributes:
        picture: What the pictures show.
        formats: Formats in which boxes are written; all formats share the pictures.
        splits: Splits to export.
        every: Export the first labelled frame of each recording and every n-th frame after it.
    """

    picture: PictureConfig
    formats: tuple[Format, ...] = Field(default=("coco", "yolo"), min_length=1)
    splits: tuple[Split, ...] = Field(default=("train", "val", "test"), min_length=1)
    every: int = Field(default=1, ge=1)

    @field_validator("formats", "splits")
    @classmethod
    def _in_order(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Sort the names: their order does not change the dataset."""
        return tuple(name for name in (*SPLITS, "coco", "yolo") if name in names)
