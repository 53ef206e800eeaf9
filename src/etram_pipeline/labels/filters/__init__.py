"""Filters that drop or change boxes of ground truth; one module per filter."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from etram_pipeline.core.component import Component
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.labels.table import LabelTable

Filter = Callable[[LabelTable], LabelTable]
"""Returns a new table; never changes its argument."""


@dataclass(frozen=True)
class FilterContext:
    """Properties of a recording that a filter may depend on.

    Attributes:
        dataset: Classes of the dataset.
        split: `train`, `val` or `test`.
        height: Rows of the sensor in px.
        width: Columns of the sensor in px.
    """

    dataset: DatasetSettings
    split: str
    height: int
    width: int


class FilterConfig(Component):
    """Chooses a filter."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, context: FilterContext) -> Filter:
        """Make the filter for the recordings of one split."""
