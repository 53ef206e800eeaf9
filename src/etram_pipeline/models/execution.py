"""How a detector computes; torch-free, for parameters name it too."""

from typing import Literal

from etram_pipeline.core.component import Settings

Order = Literal["steps", "stages"]


class Execution(Settings):
    """How a detector computes what its settings define; changes speed and memory alone.

    Attributes:
        order: Whether a clip goes through the backbone window after window, each through all
            stages (`steps`), or stage after stage, each over all windows (`stages`), which makes
            fewer and larger operations of the same numbers. `auto`: `stages` on a GPU, where small
            operations leave it idle; `steps` on a CPU, whose cache the larger ones leave. With
            dropout in a cell it decides which updates chance drops.
        compile: Fuse operations with `torch.compile`. The first steps take minutes; clips of
            another length or frames of another size compile anew. On a CPU, stages of RVT-Tiny then
            took about a tenth less time in float32 and a fifth less in bfloat16.
        checkpoint_activations: Compute the stages of the backbone a second time on the way back
            instead of keeping what they computed on the way there. Long clips take less memory,
            and a step about a third more time.
    """

    order: Literal["auto", "steps", "stages"] = "auto"
    compile: bool = False
    checkpoint_activations: bool = False

    def order_on(self, device: str) -> Order:
        """The order on a type of device, such as `cpu`."""
        if self.order != "auto":
            return self.order
        return "steps" if device == "cpu" else "stages"
