"""How a detector computes; free of torch, because parameters use it too."""

from typing import Literal

from etram_pipeline.core.component import Settings

Order = Literal["steps", "stages"]
Precision = Literal["auto", "32", "bf16-mixed", "16-mixed"]

CACHE_BYTES = {2: 24 * 2**20, 4: 12 * 2**20}
"""Largest maps for which `stages` was the faster order on a CPU, by bytes per number."""


class Execution(Settings):
    """How a detector computes what its settings define; affects only speed and memory.

    Attributes:
        order: Whether a clip goes through the backbone window after window, each through all
            stages (`steps`), or stage after stage, each over all windows (`stages`), which makes
            fewer and larger operations with the same results. `auto`: `stages` on a GPU, which
            small operations leave idle, and on a CPU while maps fit into its cache; else `steps`.
            With dropout in a cell, the order changes which updates are dropped.
        compile: Fuse operations with `torch.compile`. The first steps take minutes; clips of
            another length or frames of another size are compiled anew. On a CPU, steps of RVT-Tiny
            took a fifth less time in bfloat16 and 7 % less in float32.
        checkpoint_activations: Recompute the stages of the backbone in the backward pass instead of
            keeping their activations. Long clips need less memory, and a step takes about a third
            more time.
    """

    order: Literal["auto", "steps", "stages"] = "auto"
    compile: bool = False
    checkpoint_activations: bool = False

    def order_for(self, device: str, *, item_bytes: int, widest_bytes: int) -> Order:
        """The order of one clip.

        Args:
            device: Type of device, such as `cpu`.
            item_bytes: Bytes of each number in the computation.
            widest_bytes: Size of the largest map if all windows are computed at once.
        """
        if self.order != "auto":
            return self.order
        fits = widest_bytes <= CACHE_BYTES.get(item_bytes, 0)
        return "stages" if device != "cpu" or fits else "steps"
