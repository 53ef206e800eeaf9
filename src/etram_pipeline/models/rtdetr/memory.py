"""Recurrent cells that add what they remember to feature maps."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from etram_pipeline.core.component import Settings
from etram_pipeline.models.cells import CellConfig, identity
from etram_pipeline.models.detector import State

ClipMaps = tuple[Float[Tensor, "T B D _ _"], ...]


class MemorySettings(Settings):
    """Recurrence over the feature maps of all windows.

    Attributes:
        cell: The cell of each map; `identity`: no memory, and every keyframe is seen by itself.
        initial_weight: Weight of the cells' outputs, which are added to the maps, before training.
            With 0 a detector starts as the detector without memory that it takes its weights from.
    """

    cell: CellConfig = Field(default_factory=identity.Config)
    initial_weight: float = 0.0


class MapMemory(nn.Module):
    """One cell per map; its output times a weight per channel is added to the map."""

    def __init__(self, num_maps: int, dim: int, settings: MemorySettings) -> None:
        super().__init__()
        cells = [settings.cell.build(dim) for _ in range(num_maps)]
        self.cells = nn.ModuleList(cells)
        self.weights = nn.ParameterList(
            torch.full((dim, 1, 1), settings.initial_weight) for _ in range(num_maps)
        )
        self.num_memories = sum(cell.num_memories for cell in cells)

    def forward(self, maps: ClipMaps, state: State) -> tuple[ClipMaps, State]:
        """The maps with what is remembered, and the state after the last window.

        Args:
            maps: Maps of every window, each of another size.
            state: Memories of all cells after the previous windows; empty stands for zeros.
        """
        changed: list[Tensor] = []
        memories: list[Tensor] = []
        per_cell = len(state) // len(self.cells)
        for index, (seen, cell, weight) in enumerate(
            zip(maps, self.cells, self.weights, strict=True)
        ):
            kept = state[index * per_cell : (index + 1) * per_cell]
            remembered, kept = cell(seen, kept)
            changed.append(seen + weight * remembered)
            memories.extend(kept)
        return tuple(changed), tuple(memories)
