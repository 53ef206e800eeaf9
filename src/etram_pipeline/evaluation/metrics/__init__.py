"""What an evaluation measures; one module per metric.

A metric declares the values that it reports. Everything that shows, stores or ranks metrics reads
this declaration: the metrics file, MLflow, `compare`, the best checkpoint, tables and figures.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from etram_pipeline.core.component import Component

if TYPE_CHECKING:
    from etram_pipeline.evaluation.evidence import Evidence
    from etram_pipeline.evaluation.matches import Rankings
    from etram_pipeline.evaluation.protocol import Protocol
else:  # settings of a protocol, which must import nothing heavy, hold metrics
    Evidence = Protocol = Rankings = object

NO_GROUND_TRUTH = -1.0
"""Value of a metric that has nothing to compare with, as in COCO."""

Place = Literal["headline", "page", "classes", "recordings", "sizes", "protocols", "training"]
"""Where values are shown.

`headline`: the log, MLflow's columns, and MLflow's metrics of single classes and groups of
recordings; the first of them selects the best checkpoint. `page`: the large numbers of the report.
`classes`, `recordings`, `protocols`: the tables of the report with one row for each of these.
`sizes`: one value for each area range of the protocol. `training`: the curves of validations.
"""


@dataclass(frozen=True)
class Value:
    """A number that a metric reports.

    Attributes:
        name: Key in the metrics file and last part of the name in MLflow.
        title: Name in the log, tables and figures.
        meaning: Explanation on the report page, in one or two sentences.
        higher_is_better: Whether a larger value is the better one.
        lowest: Least value there can be; the largest is 1.
    """

    name: str
    title: str
    meaning: str = ""
    higher_is_better: bool = True
    lowest: float = 0.0

    @property
    def mode(self) -> Literal["max", "min"]:
        """The better end of its range."""
        return "max" if self.higher_is_better else "min"


@dataclass(frozen=True)
class Measured:
    """The values that a metric found.

    Attributes:
        overall: Every declared value by name; `NO_GROUND_TRUTH` where there is none.
        per_class: The same for single classes, by class name, as far as the metric has them.
        precision_recall: Precision at recall 0, 0.01 … 1 by class name, for metrics that have it.
    """

    overall: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    precision_recall: Mapping[str, list[float]] = field(default_factory=dict)


class MetricConfig(Component):
    """Declares and computes the values of one metric.

    Attributes:
        title: Name of the metric in titles of figures.
        needs_low_scores: Whether the values are wrong if detections of low scores are missing, as
            for average precision, which reads precision at every recall.
        needs_masks: Whether labels and detections must have masks.
    """

    package: ClassVar[str] = __name__
    title: ClassVar[str]
    needs_low_scores: ClassVar[bool] = False
    needs_masks: ClassVar[bool] = False

    @abstractmethod
    def declare(self, protocol: Protocol) -> tuple[Value, ...]:
        """The values that are reported under a protocol, in the order of the metrics file."""

    @abstractmethod
    def measure(self, evidence: Evidence) -> Measured:
        """The declared values of some recordings."""

    def rank(self, evidence: Evidence) -> Mapping[str, Rankings]:  # noqa: ARG002  # for metrics that can
        """What the values can be found from for any draw of the recordings; empty if they cannot.

        Rankings are those of average precision, by the start of its names, such as `mask_`.
        """
        return {}

    def shown(self, place: Place, protocol: Protocol) -> tuple[str, ...]:
        """Names of the values that a place shows, in order; by default all, but none by size."""
        return () if place == "sizes" else tuple(each.name for each in self.declare(protocol))

    def facts(self, protocol: Protocol) -> tuple[str, ...]:  # noqa: ARG002  # for metrics with choices
        """Choices that change the values, one sentence each, for the report page."""
        return ()
