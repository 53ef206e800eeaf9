"""Keep the boxes of some classes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.labels.filters import Filter, FilterConfig, FilterContext
from etram_pipeline.labels.table import LabelTable


class Config(FilterConfig):
    """Keeps the boxes of the named classes, which keep their ids.

    Attributes:
        class_names: Classes to keep.
    """

    kind: Literal["select_classes"] = "select_classes"
    class_names: tuple[str, ...] = Field(min_length=1)

    @override
    def build(self, context: FilterContext) -> Filter:
        names = context.dataset.class_names
        unknown = [name for name in self.class_names if name not in names]
        if unknown:
            raise ValueError(f"select_classes names {unknown}, but the dataset has {list(names)}")
        return SelectClasses(tuple(names.index(name) for name in self.class_names))


@dataclass(frozen=True)
class SelectClasses:
    """Keeps boxes of the classes `class_ids`."""

    class_ids: tuple[int, ...]

    def __call__(self, labels: LabelTable) -> LabelTable:
        """Drop boxes of other classes."""
        return labels[np.isin(labels["class_id"], self.class_ids)]
