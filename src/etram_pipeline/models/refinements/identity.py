"""No refinement: the neck merges what the backbone sees."""

from typing import Literal

from typing_extensions import override

from etram_pipeline.models.detector import State
from etram_pipeline.models.refinements import ClipMaps, Refinement, RefinementConfig


class IdentityRefinement(Refinement):
    """Passes all maps on as they are."""

    num_memories = 0

    @override
    def forward(self, maps: ClipMaps, state: State) -> tuple[ClipMaps, State]:
        return maps, ()


class Config(RefinementConfig):
    """Chooses no refinement."""

    kind: Literal["identity"] = "identity"

    @override
    def build(self, channels: tuple[int, ...], strides: tuple[int, ...]) -> IdentityRefinement:
        return IdentityRefinement()
