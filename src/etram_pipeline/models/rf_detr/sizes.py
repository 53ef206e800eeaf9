"""The published sizes of RF-DETR; free of torch, because parameters use it too."""

from dataclasses import dataclass
from typing import Literal

SizeName = Literal[
    "nano",
    "small",
    "medium",
    "large",
    "seg_nano",
    "seg_small",
    "seg_medium",
    "seg_large",
    "seg_xlarge",
    "seg_2xlarge",
]

NOT_APACHE = ("xlarge", "2xlarge")
"""Sizes that are published under the Platform Model License 1.0, not under Apache 2.0."""


@dataclass(frozen=True)
class Shape:
    """What distinguishes the networks of two sizes.

    Attributes:
        resolution: Height and width in px of the frames that the size was made for; its weights
            have one position embedding per patch of such a frame.
        patch_size: Height and width in px of the patches that the encoder turns into tokens.
        num_windows: Windows per row and column to which most attention of the encoder is limited.
        decoder_layers: Layers of the decoder.
        num_queries: Maximum number of objects in a frame.
        has_masks: Whether the network predicts the mask of each object.
        encoder_dim: Channels of the encoder.
        encoder_layers: Layers of the encoder; its maps come from four of them.
    """

    resolution: int
    patch_size: int
    num_windows: int
    decoder_layers: int
    num_queries: int
    has_masks: bool = False
    encoder_dim: int = 384
    encoder_layers: int = 12

    @property
    def multiple(self) -> int:
        """Height and width of a frame must be multiples of this number of px."""
        return self.patch_size * self.num_windows

    def num_tokens(self, height: int, width: int) -> int:
        """Patches of a frame; each query starts at one of them."""
        return (height // self.patch_size) * (width // self.patch_size)


SIZES: dict[SizeName, Shape] = {
    "nano": Shape(384, 16, 2, 2, 300),
    "small": Shape(512, 16, 2, 3, 300),
    "medium": Shape(576, 16, 2, 4, 300),
    "large": Shape(704, 16, 2, 4, 300),
    "seg_nano": Shape(312, 12, 1, 4, 100, has_masks=True),
    "seg_small": Shape(384, 12, 2, 4, 100, has_masks=True),
    "seg_medium": Shape(432, 12, 2, 5, 200, has_masks=True),
    "seg_large": Shape(504, 12, 2, 5, 200, has_masks=True),
    "seg_xlarge": Shape(624, 12, 2, 6, 300, has_masks=True),
    "seg_2xlarge": Shape(768, 12, 2, 6, 300, has_masks=True),
}
"""Source: roboflow/rf-detr 1.11 rfdetr/config.py."""
