"""What a comparison of experiments found, as plain data: for the page, its tables and figures."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.metric_names import original_part
from etram_pipeline.evaluation.metrics import Value
from etram_pipeline.evaluation.paired import Difference, Verdict
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import LIGHTING, OPERATING, Interval

Group = Literal["all recordings", "by size", "by light", "by class"]
"""Part of the differences, as the page shows them."""

Outcome = Literal["confirmed", "refuted", "undecided", "not judged"]
"""What an interval says about a criterion of success."""


class ComparedRun(Settings):
    """One run of a side.

    Attributes:
        name: `seed 0`; of a run that belongs to no experiment, its name in MLflow.
        run_id: Its MLflow run.
        seed: Value of `train.seed`; None: not known.
        values: Metrics by name, such as `AP` and `car/AP`.
        validations: Step and monitored value of each validation of its training.
        validated_by: Protocol of these validations; empty without any.
        num_parameters: Size of its detector; None: not known.
        learning_rate: Value of `train.optimizer.learning_rate`; None: not known.
        seconds: Time that its pipelines took; None: not known.
        command: Command that started it; empty: not known.
        report: Address of its report page; empty without one that can be linked.
    """

    name: str
    run_id: str
    seed: int | None = None
    values: dict[str, float]
    validations: tuple[tuple[int, float], ...] = ()
    validated_by: str = ""
    num_parameters: int | None = None
    learning_rate: float | None = None
    seconds: float | None = None
    command: str = ""
    report: str = ""

    @property
    def num_steps(self) -> int | None:
        """Step of the last validation; None without any."""
        return max((step for step, _ in self.validations), default=None)


class Side(Settings):
    """An experiment that is compared, or a single run.

    Attributes:
        name: Name of the experiment or run.
        hypothesis: What the experiment should show; empty for a single run.
        size: Size of its detector, which selects the resources of its jobs; empty: not known.
        runs: Its finished runs, one for each seed.
        left_out: Why other runs are not compared, one sentence each.
        intervals: Mean over its runs by name of the value, with a 95 % interval.
        settings: Parameters by full name; those that its runs do not share are left out.
    """

    name: str
    hypothesis: str = ""
    size: str = ""
    runs: tuple[ComparedRun, ...]
    left_out: tuple[str, ...] = ()
    intervals: dict[str, Interval]
    settings: dict[str, str] = Field(default_factory=dict)

    @property
    def num_parameters(self) -> int | None:
        """Parameters of its detector; None: not known."""
        return next((run.num_parameters for run in self.runs if run.num_parameters), None)

    def mean(self, name: str) -> float | None:
        """Mean of a value over the runs; None if one of them lacks it."""
        values = [run.values.get(name) for run in self.runs]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if len(known) == len(values) else None


class Judgement(Settings):
    """What the differences of one side say about its hypothesis.

    Attributes:
        metric: Name of the value that decides.
        criterion: Result that the experiment was to reach, in words; empty without one.
        low: Lower end of the interval that decides, which holds for all sides at once; None if
            there is none.
        high: Its upper end.
        verdict: `improved` or `degraded` if this interval excludes 0, else `undecided`.
        outcome: Whether the criterion is met; `not judged` without one, and if it is about another
            protocol or value.
    """

    metric: str
    criterion: str = ""
    low: float | None = None
    high: float | None = None
    verdict: Verdict = "undecided"
    outcome: Outcome = "not judged"


class Comparison(Settings):
    """Sides compared with the first of them, under one protocol and on the same ground truth.

    Attributes:
        protocol: How the values were found.
        split: Recordings that were evaluated.
        num_recordings: How many they are.
        num_labels: Labels in them that count.
        unlabelled: Classes without labels in them.
        rounds: Draws of recordings behind each interval.
        baseline: What the others are compared with.
        others: Everything else.
        differences: Of each of the others to the baseline, by name of the value.
        judgements: On each of the others.
    """

    protocol: Protocol
    split: str
    num_recordings: int
    num_labels: int
    unlabelled: tuple[str, ...] = ()
    rounds: int
    baseline: Side
    others: tuple[Side, ...] = Field(min_length=1)
    differences: tuple[dict[str, Difference], ...]
    judgements: tuple[Judgement, ...]

    @property
    def sides(self) -> tuple[Side, ...]:
        """The baseline, then the others."""
        return (self.baseline, *self.others)

    @property
    def headline(self) -> Value:
        """The value that ranks the sides."""
        return self.protocol.monitored

    @property
    def num_differences(self) -> int:
        """How many differences the page shows."""
        return sum(len(rows) for each in self.differences for rows in self.shown(each).values())

    def shown(self, differences: Mapping[str, Difference]) -> dict[Group, tuple[str, ...]]:
        """Names of the differences that the page shows, group by group."""
        protocol = self.protocol
        headline = {value.name for value in protocol.shown("headline")}
        sizes = tuple(value.name for value in protocol.shown("sizes"))
        overall = tuple(
            value.name for value in protocol.values if _is_overall(protocol, value.name)
        )
        parts = {name: name.rpartition("/") for name in differences if "/" in name}
        of_parts = [
            name
            for name, (where, _, value) in parts.items()
            if value in headline and where != OPERATING
        ]
        lights = [name for name in of_parts if parts[name][0] in LIGHTING]
        groups: dict[Group, tuple[str, ...]] = {
            "all recordings": overall,
            "by size": sizes,
            "by light": tuple(lights),
            "by class": tuple(name for name in of_parts if name not in lights),
        }
        return {
            group: known
            for group, names in groups.items()
            if (known := tuple(name for name in names if name in differences))
        }

    def title(self, name: str) -> str:
        """Name of a value in words: `AP50`, `car: AP50`."""
        where, _, value = name.rpartition("/")
        titles = {each.name: each.title for each in self.protocol.values}
        text = titles.get(value, value)
        place = where.removeprefix("class/")
        return f"{original_part(place)}: {text}" if place else text


def _is_overall(protocol: Protocol, name: str) -> bool:
    shown = {
        value.name for place in ("headline", "page", "protocols") for value in protocol.shown(place)
    }
    return name in shown
