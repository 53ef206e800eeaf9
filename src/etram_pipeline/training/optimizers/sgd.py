"""Stochastic gradient descent with momentum."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from etram_pipeline.training.optimizers import OptimizerConfig

if TYPE_CHECKING:
    from torch.optim import SGD
else:  # the command line reads this module long before anything needs torch
    SGD = object


class Config(OptimizerConfig):
    """SGD; its weight decay is added to the gradients.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013.

    Attributes:
        learning_rate: Highest rate. Usual for detectors: 0.02 for 16 images per step, in proportion
            to their number.
        momentum: Share of the previous update that each update keeps.
        nesterov: Whether gradients are taken where the momentum leads.
    """

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False

    @model_validator(mode="after")
    def _check_momentum(self) -> "Config":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    @override
    def build(self, groups: list[dict[str, Any]], *, on_cpu: bool) -> SGD:
        from torch.optim import SGD

        return SGD(
            groups,
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=on_cpu or None,
        )
