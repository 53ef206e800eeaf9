"""RVT's backbone: stages of convolution, window and grid attention, and a recurrent cell."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from pydantic import Field, model_validator
from torch import Tensor, channels_last, nn
from torch.utils.checkpoint import checkpoint
from typing_extensions import override

from etram_pipeline.models.attention import AttentionSettings, PartitionAttention
from etram_pipeline.models.backbones import Backbone, BackboneConfig
from etram_pipeline.models.cells import Cell, CellConfig
from etram_pipeline.models.detector import State
from etram_pipeline.models.execution import Execution, Order
from etram_pipeline.models.lanes import num_groups, run_in_groups


class DownsamplingLayer(nn.Module):
    """Strided convolution and layer normalisation; the result is channels-last."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm_eps: float) -> None:
        super().__init__()
        kernel_size = 2 * stride - 1  # neighbouring kernels overlap by `stride - 1` px
        self.convolution = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
        )
        self.norm = nn.LayerNorm(out_channels, eps=norm_eps)

    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N h w D"]:
        """Reduce maps by the stride."""
        reduced: Tensor = self.norm(self.convolution(maps).movedim(1, -1))
        return reduced


class AttentionPair(nn.Module):
    """Attention within windows, then across the map on a grid."""

    def __init__(self, dim: int, settings: AttentionSettings, *, is_input_normed: bool) -> None:
        super().__init__()
        self.window = PartitionAttention(dim, "window", settings, is_input_normed=is_input_normed)
        self.grid = PartitionAttention(dim, "grid", settings, is_input_normed=False)

    def forward(
        self, maps: Float[Tensor, "N H W D"], part_size: tuple[int, int]
    ) -> Float[Tensor, "N H W D"]:
        """Transform channels-last maps whose sides are multiples of `part_size`."""
        attended: Tensor = self.grid(self.window(maps, part_size), part_size)
        return attended


class Stage(nn.Module):
    """One scale of the backbone; its output is that of its cell."""

    def __init__(self, downsample: DownsamplingLayer, blocks: nn.ModuleList, cell: Cell) -> None:
        super().__init__()
        self.downsample, self.blocks, self.cell = downsample, blocks, cell

    def forward(
        self, maps: Float[Tensor, "T B C H W"], state: State, part_size: tuple[int, int]
    ) -> tuple[Float[Tensor, "T B D h w"], State]:
        """Maps of the windows of a clip at this scale, and the state of the cell after it."""
        # Only the cell is recurrent, so everything before it computes all windows at once.
        x = self.downsample(maps.flatten(0, 1))
        for block in self.blocks:
            x = block(x, part_size)
        attended = x.movedim(-1, 1).unflatten(0, maps.shape[:2])
        output: tuple[Tensor, State] = self.cell(attended, state)
        return output


class MaxViT(Backbone):
    """Stages in sequence, each over the whole clip, or all over one window after another.

    Source: Gehrig and Scaramuzza, "Recurrent Vision Transformers for Object Detection with Event
    Cameras", CVPR 2023, section 3; uzh-rpg/RVT models/detection/recurrent_backbone/maxvit_rnn.py.
    """

    def __init__(self, in_channels: int, cell: CellConfig, config: "Config") -> None:
        super().__init__()
        self.channels = config.channels
        self.strides = config.strides
        self.widest = int(self.channels[0] * config.attention.mlp_ratio)
        self.size_multiple = self.strides[-1] * config.partition_split
        inputs = (in_channels, *self.channels[:-1])
        cells = [cell.build(dim) for dim in self.channels]
        self.num_memories = sum(built.num_memories for built in cells)
        self.stages = nn.ModuleList(
            Stage(
                DownsamplingLayer(dim_in, dim, stride, config.attention.norm_eps),
                nn.ModuleList(
                    AttentionPair(dim, config.attention, is_input_normed=index == 0)
                    for index in range(num_blocks)
                ),
                built,
            )
            for dim_in, dim, stride, num_blocks, built in zip(
                inputs,
                self.channels,
                config.stage_strides,
                config.num_blocks,
                cells,
                strict=True,
            )
        )

    @override
    def forward(
        self, frames: Shaped[Tensor, "T B C H W"], state: State
    ) -> tuple[tuple[Float[Tensor, "T B _ _ _"], ...], State]:
        groups = self._num_groups(frames)
        if groups > 1:
            return run_in_groups(self._run_clip, frames, state, self, groups)
        return self._run_clip(frames, state)

    def _run_clip(
        self, frames: Shaped[Tensor, "T B C H W"], state: State
    ) -> tuple[tuple[Float[Tensor, "T B _ _ _"], ...], State]:
        if len(frames) == 1:
            return self._run_stages(frames, state)
        outputs = []
        for windows in frames.split(1 if self._order(frames) == "steps" else len(frames)):
            maps, state = self._run_stages(windows, state)
            outputs.append(maps)
        if len(outputs) == 1:
            return outputs[0], state
        return tuple(torch.cat(maps) for maps in zip(*outputs, strict=True)), state

    @override
    def execute_with(self, execution: Execution) -> None:
        super().execute_with(execution)
        if execution.compile:
            from torch._dynamo import config as compiler

            # All stages share one code object with variants for training, validation and sizes.
            # Compiling with dynamic sizes takes many times as long.
            compiler.cache_size_limit = max(compiler.cache_size_limit, 16 * len(self.stages))
            for stage in self.stages:
                # In place: a wrapper would rename the weights of checkpoints.
                stage.compile(dynamic=False)

    def _run_stages(
        self, frames: Shaped[Tensor, "T B C H W"], state: State
    ) -> tuple[tuple[Float[Tensor, "T B _ _ _"], ...], State]:
        """Each stage over all windows."""
        height, width = frames.shape[-2:]
        part_size = height // self.size_multiple, width // self.size_multiple
        images = _channels_last(frames.flatten(0, 1), self._input_dtype(frames))
        maps = images.unflatten(0, frames.shape[:2])
        features: list[Tensor] = []
        memories: list[Tensor] = []
        per_stage = len(state) // len(self.stages)
        for index, stage in enumerate(self.stages):
            kept = state[index * per_stage : (index + 1) * per_stage]
            maps, kept = self._run(stage, maps, kept, part_size)
            features.append(maps)
            memories.extend(kept)
        return tuple(features), tuple(memories)

    def _run(self, stage: nn.Module, *inputs: object) -> tuple[Float[Tensor, "T B D h w"], State]:
        run: Callable[..., tuple[Tensor, State]] = stage
        if self.execution.checkpoint_activations and torch.is_grad_enabled():
            run = partial(checkpoint, stage, use_reentrant=False)
        return run(*inputs)

    def _num_groups(self, frames: Shaped[Tensor, "T B C H W"]) -> int:
        if frames.device.type != "cpu" or frames.requires_grad or self.execution.compile:
            return 1
        if torch.compiler.is_compiling():
            return 1  # threads cannot be exported
        return num_groups(self, frames.shape[1])

    def _order(self, frames: Shaped[Tensor, "T B C H W"]) -> Order:
        item_bytes = self._input_dtype(frames).itemsize
        num_cells = frames[:, :, 0].numel() // self.strides[0] ** 2
        return self.execution.order_for(
            frames.device.type,
            item_bytes=item_bytes,
            widest_bytes=num_cells * self.widest * item_bytes,
        )

    def _input_dtype(self, frames: Tensor) -> torch.dtype:
        # The first convolution would cast them anyway. Counts up to 255 are exact in half precision
        # and take half the time and memory.
        device = frames.device.type
        if torch.is_autocast_enabled(device):
            return torch.get_autocast_dtype(device)
        return next(self.parameters()).dtype


def _channels_last(
    images: Shaped[Tensor, "N C H W"], dtype: torch.dtype
) -> Float[Tensor, "N C H W"]:
    """The images as numbers of `dtype`, channels-last in memory."""
    if torch.compiler.is_compiling():
        # Copies into parts of a tensor take longer than all else in an exported file, and fix the
        # number of images.
        return images.to(dtype)
    if images.device.type != "cpu":
        return images.to(dtype, memory_format=channels_last)
    # A single image stays in the cache. Casting it first and then transposing it as a plain matrix
    # takes half the time of both at once in bfloat16.
    turned = torch.empty(images.shape, dtype=dtype, memory_format=channels_last)
    for image, place in zip(images, turned, strict=True):
        place.permute(1, 2, 0).flatten(0, 1).copy_(image.to(dtype).flatten(1).t())
    return turned


class Config(BackboneConfig):
    """Settings of the backbone; the defaults are those of RVT-Base.

    Attributes:
        embed_dim: Channels of the first stage.
        dim_multipliers: Channels of each stage, as multiples of `embed_dim`.
        num_blocks: Pairs of window and grid attention in each stage.
        patch_size: Stride of the first stage in px; every further stage halves the map.
        partition_split: Number of attention windows along each side of the coarsest map. All stages
            have windows of the same size in cells, which follows from the size of the input.
        attention: Settings of the attention blocks.
    """

    kind: Literal["maxvit"] = "maxvit"
    embed_dim: int = Field(default=64, ge=1)
    dim_multipliers: tuple[int, ...] = Field(default=(1, 2, 4, 8), min_length=1)
    num_blocks: tuple[int, ...] = (1, 1, 1, 1)
    patch_size: int = Field(default=4, ge=1)
    partition_split: int = Field(default=2, ge=1)
    attention: AttentionSettings = AttentionSettings()

    @model_validator(mode="after")
    def _check_stages(self) -> "Config":
        if len(self.num_blocks) != len(self.dim_multipliers):
            raise ValueError(
                f"num_blocks is for {len(self.num_blocks)} stages, "
                f"but dim_multipliers for {len(self.dim_multipliers)}"
            )
        for channels in self.channels:
            if channels % self.attention.dim_head:
                raise ValueError(
                    f"dim_head {self.attention.dim_head} does not divide the {channels} channels "
                    f"of a stage; choose a divisor of {self.embed_dim}"
                )
        return self

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.embed_dim * multiplier for multiplier in self.dim_multipliers)

    @property
    def stage_strides(self) -> tuple[int, ...]:
        """Stride of each stage over the one before."""
        return (self.patch_size, *(2 for _ in self.dim_multipliers[1:]))

    @property
    def strides(self) -> tuple[int, ...]:
        """Side in px of the cells of each stage's map."""
        return tuple(self.patch_size * 2**stage for stage in range(len(self.dim_multipliers)))

    @override
    def build(self, in_channels: int, cell: CellConfig) -> MaxViT:
        return MaxViT(in_channels, cell, self)
