"""How a detector computes; torch-free, for parameters name it too."""

from typing import Literal

from etram_pipeline.core.component import Settings

Order = Literal["steps", "stages"]
Precision = Literal["auto", "32", "bf16-mixed", "16-mixed"]

CACHE_BYTES = {2: 24 * 2**20, 4: 12 * 2**20}
"""Largest maps for which `stages` was the faster order on a CPU, by bytes of a number."""


class Execution(Settings):
    """How a detector computes what its settings define; changes speed and memory alone.

    Attributes:
        order: Whether a clip goes through the backbone window after window, each through all
            stages (`steps`), or stage after stage, each over all windows (`stages`), which makes
            fewer and larger operations of the same numbers. `auto`: `stages` on a GPU, where small
            operations leave it idle, and on a CPU while maps stay in its cache; else `steps`. With
            dropout in a cell it decides which updates chance drops.
        compile: Fuse operations with `torch.compile`. The first steps take minutes; clips of
            another length or frames of another size compile anew. On a CPU, steps of RVT-Tiny then
            took a fifth less time in bfloat16 and 7 % less in float32.
        checkpoint_activations: Compute the stages of the backbone a second time on the way back
            instead of keeping what they computed on the way there. Long clips take less memory,
            and a step about a third more time.
    """

    order: Literal["auto", "steps", "stages"] = "auto"
    compile: bool = False
    checkpoint_activations: bool = False

    def order_for(self, device: str, *, item_bytes: int, widest_bytes: int) -> Order:
        """The order of one clip.

        Args:
            device: Type of device, such as `cpu`.
            item_bytes: Bytes of each number that is computed with.
            widest_bytes: Size of the largest map there would be with all windows at once.
        """
        if self.order != "auto":
            return self.order
        fits = widest_bytes <= CACHE_BYTES.get(item_bytes, 0)
        return "stages" if device != "cpu" or fits else "steps"
