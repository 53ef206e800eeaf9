"""No auxiliary task."""

from typing import Literal

from typing_extensions import override

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.necks import FeatureMaps


class NoTask(Auxiliary):
    """Adds no loss."""

    @override
    def forward(self, maps: FeatureMaps, targets: tuple[Targets, ...]) -> Losses:
        return {}


class Config(AuxiliaryConfig):
    """Chooses no auxiliary task."""

    kind: Literal["none"] = "none"

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> NoTask:
        return NoTask()
