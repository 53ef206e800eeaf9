"""Optimizers; one module per optimizer."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from etram_pipeline.core.component import Component, Settings
from etram_pipeline.training.rate_schedules import RateScheduleConfig, one_cycle

if TYPE_CHECKING:
    from torch.optim import Optimizer
else:  # the command line reads this module long before anything needs torch
    Optimizer = object


class GroupSettings(Settings):
    """What differs for the parameters of a group.

    Attributes:
        rate: Factor of the learning rate.
        layer_decay: Factor of the learning rate per layer, counted from the top. The last layer has
            the rate times this factor, the layer before it times its square, and so on.
            Parameters before the first layer count as one more layer; those after the last one
            keep the rate. The first number in the name of a parameter is its layer.
        weight_decay: Weight decay; None: that of the optimizer.
        decay_vectors: Whether it also acts on vectors; None: as the optimizer.
    """

    rate: float = Field(default=1.0, gt=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    weight_decay: float | None = Field(default=None, ge=0)
    decay_vectors: bool | None = None


class OptimizerConfig(Component):
    """Chooses an optimizer, and the learning rate over the course of training.

    Attributes:
        learning_rate: Highest rate.
        schedule: How the rate rises to the highest one and falls after it.
        weight_decay: Weight decay.
        decay_vectors: Whether weight decay also acts on parameters with one dimension, such as
            biases and the scales of normalisation layers.
        groups: Parameters that learn differently, by the prefix of their names. The longest prefix
            that fits a name applies.
        gradient_clip: Largest absolute value, or norm, of gradients; None: no limit.
        clip_by: What `gradient_clip` limits.
        accumulate: Batches that each step sums gradients over.
    """

    package: ClassVar[str] = __name__
    default_kind: ClassVar[str | None] = "adamw"

    learning_rate: float = Field(gt=0)
    schedule: RateScheduleConfig = Field(default_factory=one_cycle.Config)
    weight_decay: float = Field(default=0.0, ge=0)
    decay_vectors: bool = Field(default=True, exclude_if=lambda value: value)
    groups: dict[Annotated[str, Field(min_length=1)], GroupSettings] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )
    gradient_clip: float | None = Field(default=1.0, gt=0)
    clip_by: Literal["value", "norm"] = "value"
    accumulate: int = Field(default=1, ge=1)

    @abstractmethod
    def build(self, groups: list[dict[str, Any]], *, on_cpu: bool) -> Optimizer:
        """Make the optimizer.

        Args:
            groups: Parameters in the form that PyTorch's optimizers take, each with its rate `lr`
                and its `weight_decay`.
            on_cpu: Whether all parameters are on the CPU.
        """
