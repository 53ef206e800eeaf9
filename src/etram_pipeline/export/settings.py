"""Parameters of the export."""

from typing import Literal

from pydantic import Field, field_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.export.pictures import PictureConfig

Split = Literal["train", "val", "test"]
Format = Literal["coco", "yolo"]


class ExportSettings(Settings):
    """What is exported, and for whom.

    Attributes:
        picture: What pictures show.
        formats: Files of boxes to write beside the pictures, which are the same for all.
        splits: Splits to export.
        every: Of each recording, export the first labelled frame and every n-th after it.
    """

    picture: PictureConfig
    formats: tuple[Format, ...] = Field(default=("coco", "yolo"), min_length=1)
    splits: tuple[Split, ...] = Field(default=("train", "val", "test"), min_length=1)
    every: int = Field(default=1, ge=1)

    @field_validator("formats", "splits")
    @classmethod
    def _in_order(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """In the order they were written first: another order is no other dataset."""
        return tuple(name for name in (*SPLITS, "coco", "yolo") if name in names)
