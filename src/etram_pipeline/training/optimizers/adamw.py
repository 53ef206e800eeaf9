"""Adam with decoupled weight decay."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.training.optimizers import OptimizerConfig

if TYPE_CHECKING:
    from torch.optim import AdamW
else:  # the command line reads this module long before anything needs torch
    AdamW = object


class Config(OptimizerConfig):
    """AdamW with PyTorch's betas, as in the reference.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Attributes:
        learning_rate: Highest rate. The reference's 3.46e-4 is for 24 lanes over all devices and
            grows with the square root of their number.
    """

    kind: Literal["adamw"] = Field(default="adamw", exclude_if=lambda value: value == "adamw")
    learning_rate: float = Field(default=3.46e-4, gt=0)

    @override
    def build(self, groups: list[dict[str, Any]], *, on_cpu: bool) -> AdamW:
        from torch.optim import AdamW

        # On a CPU one call for all parameters takes a third of the time of one for each.
        return AdamW(
            groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=on_cpu or None
        )
