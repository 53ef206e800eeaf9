"""Replace classes by super-classes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from typing_extensions import override

from etram_pipeline.labels.filters import Filter, FilterConfig, FilterContext
from etram_pipeline.labels.table import LabelTable


class Config(FilterConfig):
    """Renumbers classes by the dataset's `class_groups`; boxes of classes in no group are dropped.

    Without groups, all boxes pass unchanged.
    """

    kind: Literal["group_classes"] = "group_classes"

    @override
    def build(self, context: FilterContext) -> Filter:
        dataset = context.dataset
        if not dataset.class_groups:
            return np.copy
        groups = enumerate(dataset.class_groups.values())
        return GroupClasses(
            {dataset.class_names.index(name): group for group, names in groups for name in names}
        )


@dataclass(frozen=True)
class GroupClasses:
    """Replaces the class of boxes according to `group_of_class`."""

    group_of_class: dict[int, int]

    def __call__(self, labels: LabelTable) -> LabelTable:
        """Renumber classes; drop boxes of classes without a group."""
        kept = labels[np.isin(labels["class_id"], list(self.group_of_class))]
        kept["class_id"] = [self.group_of_class[class_id] for class_id in kept["class_id"].tolist()]
        return kept
