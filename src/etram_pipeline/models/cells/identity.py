"""No recurrence: what a detector can do without memory."""

from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig
from etram_pipeline.models.detector import State


class IdentityCell(Cell):
    """Passes every map on as it is."""

    num_memories: ClassVar[int] = 0

    @override
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        return maps, ()


class Config(CellConfig):
    """Chooses no recurrence."""

    kind: Literal["identity"] = "identity"

    @override
    def build(self, dim: int) -> IdentityCell:
        return IdentityCell()
