"""A straightforward implementation of training RVT: the baseline of `benchmarks/training.py`.

It has the same weights and equations as the detector, computed without optimisation: window after
window, in single precision, with channels first. In each window, each stage downsamples, computes
attention by matrix products and a softmax, and runs one convolution over input and hidden map. Neck
and head process the keyframes, gathered window by window.

Source: the order of operations of uzh-rpg/RVT modules/detection.py and models/layers.
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import gelu

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.models.attention import PartitionAttention, merge, partition
from etram_pipeline.models.backbones.maxvit import MaxViT, Stage
from etram_pipeline.models.cells.conv_lstm import ConvLSTM
from etram_pipeline.models.detector import Losses, State, reset_state
from etram_pipeline.models.detectors.rvt import RVT
from etram_pipeline.models.resizing import pad_to_multiple

PartSize = tuple[int, int]


@dataclass
class Memory:
    """Hidden map and memory of the cell of one stage."""

    hidden: Tensor
    memory: Tensor


def plain_losses(detector: RVT, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
    """The result of `detector.losses` for an RVT with default parts.

    Raises:
        TypeError: If the detector has other parts.
    """
    backbone = detector.backbone
    if not isinstance(backbone, MaxViT):
        raise TypeError(f"there is no plain execution of {type(backbone).__name__}")
    flat = reset_state(state, batch.starts)
    memories: list[Memory | None] = [
        Memory(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)
    ]
    memories = memories or [None] * len(backbone.stages)
    kept: list[list[Tensor]] = [[] for _ in backbone.stages]
    for window, frames in enumerate(pad_to_multiple(batch.frames, backbone.size_multiple)):
        maps = frames.float()
        height, width = frames.shape[-2:]
        part_size = height // backbone.size_multiple, width // backbone.size_multiple
        lanes = batch.keyframes[batch.keyframes[:, 0] == window, 1]
        for index, stage in enumerate(backbone.stages):
            memory = run_stage(cast(Stage, stage), maps, memories[index], part_size)
            maps, memories[index] = memory.hidden, memory
            kept[index].append(maps[lanes])
    features = tuple(torch.cat(kept[stage - 1]) for stage in detector.neck_stages)
    losses: Losses = detector.loss(detector.head(detector.neck(features)), batch.targets)
    return losses, tuple(m for pair in memories if pair for m in (pair.hidden, pair.memory))


def run_stage(
    stage: Stage, maps: Float[Tensor, "B C H W"], memory: Memory | None, part_size: PartSize
) -> Memory:
    """The cell's maps after one more window."""
    x = stage.downsample.norm(stage.downsample.convolution(maps).permute(0, 2, 3, 1))
    for pair in stage.blocks:
        for block in (pair.window, pair.grid):
            x = attend(cast(PartitionAttention, block), x, part_size)
    if not isinstance(stage.cell, ConvLSTM) or stage.cell.mixing is not None:
        raise TypeError("there is a plain execution of RVT's own cell alone")
    return update(stage.cell, x.permute(0, 3, 1, 2).contiguous(), memory)


def attend(
    block: PartitionAttention, x: Float[Tensor, "B H W D"], part_size: PartSize
) -> Float[Tensor, "B H W D"]:
    """Attention, then a perceptron, each added to its input."""
    attention = block.attention
    parts = partition(block.attention_norm(x), part_size, block.parts)
    per_head = attention.qkv(parts).flatten(1, 2).unflatten(-1, (-1, 3 * attention.dim_head))
    query, key, value = per_head.transpose(1, 2).chunk(3, dim=-1)
    similarity = (query @ key.mT) * attention.dim_head**-0.5
    attended = (similarity.softmax(-1) @ value).transpose(1, 2).reshape(parts.shape)
    height, width = x.shape[1:3]
    merged = merge(attention.projection(attended), (height, width), block.parts)
    x = x + block.attention_scale(merged)
    learnt = block.mlp.fc2(gelu(block.mlp.fc1(block.mlp_norm(x))))
    sum_of_both: Tensor = x + block.mlp_scale(learnt)
    return sum_of_both


def update(cell: ConvLSTM, x: Float[Tensor, "B D H W"], before: Memory | None) -> Memory:
    """One step of the LSTM, with the gates from one convolution."""
    before = before or Memory(torch.zeros_like(x), torch.zeros_like(x))
    mixed = cell.gates(torch.cat([x, before.hidden], dim=1))
    gates, cell_input = mixed.tensor_split([3 * cell.dim], dim=1)
    forget, admit, emit = gates.sigmoid().chunk(3, dim=1)
    memory = forget * before.memory + admit * cell_input.tanh()
    return Memory(emit * memory.tanh(), memory)
