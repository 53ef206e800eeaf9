"""RF-DETR's network, made of the modules of transformers."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import (
    RfDetrConfig,
    RfDetrForInstanceSegmentation,
    RfDetrForObjectDetection,
)
from typing_extensions import override

from etram_pipeline.models.rf_detr.outputs import LayerOutput, MaskOutput
from etram_pipeline.models.rf_detr.sizes import Shape

MASK_STRIDE = 4


class RFDETRNetwork(nn.Module):
    """Predicts boxes, classes and, in some sizes, masks from frames.

    Source: Robinson et al., "RF-DETR: Neural Architecture Search for Real-Time Detection
    Transformers", arXiv 2511.09554; roboflow/rf-detr 1.11. Where transformers differs from it (in
    windows of frames that are not square, mask proposals, an epsilon and initial weights), this
    class follows the original.
    """

    def __init__(self, shape: Shape, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self._shape = shape
        config = _config(shape, in_channels, num_classes)
        self.mask_head: MaskHead | None = None
        if shape.has_masks:
            whole: Any = RfDetrForInstanceSegmentation(config)
            self.detection: Any = whole.model
            self.mask_head = MaskHead(whole)
        else:
            self.detection = RfDetrForObjectDetection(config)
        self.num_groups: int = config.group_detr
        self._follow_original(shape)

    @override
    def forward(self, frames: Float[Tensor, "K C H W"]) -> list[LayerOutput]:
        """Predictions of the layers of the decoder; in training, those of the encoder come first.

        Args:
            frames: Height and width are multiples of `Shape.multiple`.
        """
        # Each query starts at a patch; test-time augmentation may make frames with fewer patches.
        self.detection.model.num_queries = min(
            self._shape.num_queries, self._shape.num_tokens(*frames.shape[2:])
        )
        found = self.detection.model(frames)
        hidden = found.intermediate_hidden_states
        logits, boxes = self.detection.predict_class_and_boxes(
            hidden, found.intermediate_reference_points
        )
        masks = self._masks(found, frames.shape[2:])
        layers = list(map(LayerOutput, logits, boxes, masks[1:]))
        if not self.training:
            return layers
        proposed = self.detection.predict_encoder_class_logits(found.enc_outputs_class)
        return [LayerOutput(proposed, found.enc_outputs_coord_logits, masks[0]), *layers]

    def _follow_original(self, shape: Shape) -> None:
        model = self.detection.model
        nn.init.zeros_(model.reference_point_embed.weight)
        model.backbone.backbone.embeddings.window_partition = _Windows(shape)
        for module in model.backbone.projector.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-6

    def _masks(
        self,
        found: Any,  # noqa: ANN401, an output of transformers
        size: torch.Size,
    ) -> list[MaskOutput | None]:
        """Masks of the encoder's proposals and of each layer of the decoder."""
        queries = [found.enc_outputs_class, *found.intermediate_hidden_states]
        if self.mask_head is None:
            return [None] * len(queries)
        return [*self.mask_head(found.backbone_features, queries, size)]


class MaskHead(nn.Module):
    """Masks of the encoder's proposals and of each layer of the decoder."""

    def __init__(self, whole: RfDetrForInstanceSegmentation) -> None:
        super().__init__()
        self.blocks = whole.blocks
        self.spatial_features_proj = whole.spatial_features_proj
        self.query_features_block = whole.query_features_block
        self.query_features_proj = whole.query_features_proj
        self.segmentation_bias = whole.segmentation_bias

    @override
    def forward(
        self, features: Float[Tensor, "K D h w"], queries: list[Tensor], size: torch.Size
    ) -> list[MaskOutput]:
        """Masks of queries, of which the first are the encoder's proposals.

        Args:
            features: The encoder's map.
            queries: Features of the queries after the encoder and after each layer.
            size: Height and width of the frames.
        """
        height, width = size
        features = interpolate(
            features, (height // MASK_STRIDE, width // MASK_STRIDE), mode="bilinear"
        )
        masks = []
        for block, of_layer in zip([nn.Identity(), *self.blocks], queries, strict=True):
            features = block(features)
            masks.append(
                MaskOutput(
                    features=self.spatial_features_proj(features),
                    queries=self.query_features_proj(self.query_features_block(of_layer)),
                    bias=self.segmentation_bias,
                )
            )
        return masks


class _Windows:
    """Splits the tokens of a frame into windows; those of transformers fit square frames alone."""

    def __init__(self, shape: Shape) -> None:
        self._patch, self._windows = shape.patch_size, shape.num_windows

    def __call__(
        self, embeddings: Float[Tensor, "K tokens D"], height: int, width: int
    ) -> Float[Tensor, "windows some D"]:
        """Tokens of each window, with a copy of the class token in front."""
        of_class, of_patches = embeddings[:, :1], embeddings[:, 1:]
        rows, columns = (side // self._patch // self._windows for side in (height, width))
        split = of_patches.unflatten(1, (self._windows, rows, self._windows, columns))
        windows = split.transpose(2, 3).flatten(3, 4).flatten(0, 2)
        # Frame by frame, as the windows are; the original repeats the class tokens of all frames,
        # which are equal.
        copies = of_class.repeat_interleave(self._windows**2, dim=0)
        return torch.cat([copies, windows], dim=1)


def _config(shape: Shape, in_channels: int, num_classes: int) -> Any:  # noqa: ANN401
    step = shape.encoder_layers // 4
    make: Any = RfDetrConfig
    return make(
        num_labels=num_classes,
        decoder_layers=shape.decoder_layers,
        num_queries=shape.num_queries,
        decoder_n_points=2,
        dropout=0.0,
        mask_downsample_ratio=MASK_STRIDE,
        backbone_config={
            "model_type": "rf_detr_dinov2",
            "hidden_size": shape.encoder_dim,
            "num_hidden_layers": shape.encoder_layers,
            "num_attention_heads": max(shape.encoder_dim // 64, 1),
            "image_size": shape.resolution,
            "patch_size": shape.patch_size,
            "num_windows": shape.num_windows,
            "num_channels": in_channels,
            "out_features": [f"stage{step * number}" for number in range(1, 5)],
            "use_mask_token": False,
        },
    )
