"""What an experiment is: a hypothesis, the settings that test it, and what counts as success."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.mappings import flatten

Size = Literal["nano", "small", "medium", "large", "xlarge", "2xlarge"]
"""Size of a detector, which selects the resources of its jobs."""


SEEDS = 2**32
"""Seeds begin at 0 and are less than this, as those of `train.seed`."""

PLACEHOLDER = "…"
"""Hypothesis of a new file, which nothing can confirm."""


_LONGEST = 1000
"""Characters of a hypothesis, which MLflow keeps as a tag."""


def _one_sentence(text: str) -> str:
    joined = " ".join(text.split())
    if joined in {"", PLACEHOLDER}:
        raise ValueError(
            "is still to be written: one sentence that the results can confirm or refute"
        )
    if len(joined) > _LONGEST:
        raise ValueError(
            f"has {len(joined)} characters: state it in one sentence, the rest in `why`"
        )
    return joined


def _without_repeats(seeds: tuple[int, ...]) -> tuple[int, ...]:
    repeated = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if repeated:
        raise ValueError(f"seeds {repeated} are listed twice: each seed is one run")
    return seeds


class Success(Settings):
    """The result that confirms the hypothesis.

    Attributes:
        better_than: Experiment to compare with.
        metric: Name of the metric, as in MLflow without split and protocol: `AP`, `AP_S`,
            `car/AP`, `night/AP`.
        protocol: Protocol of the metric; by default the first one of `evaluate.protocols`.
        by: Least improvement.
    """

    better_than: str = Field(min_length=1)
    metric: str = Field(default="AP", min_length=1)
    protocol: str | None = None
    by: float = Field(default=0.0, ge=0, allow_inf_nan=False)


_INNER = 0.618
"""Place of a value inside a range, which is no whole number even if both bounds are."""


class SearchRange(Settings):
    """Values of a parameter that a search tries.

    Attributes:
        low: Least value; needs `high`.
        high: Greatest value.
        log: Whether values are drawn evenly on a logarithmic scale.
        step: Distance between values; a whole number for parameters that are whole numbers.
        choices: Values to choose from, instead of a range.
    """

    low: int | float | None = Field(default=None, allow_inf_nan=False)
    high: int | float | None = Field(default=None, allow_inf_nan=False)
    log: bool = False
    step: int | float | None = Field(default=None, gt=0, allow_inf_nan=False)
    choices: tuple[Any, ...] | None = Field(default=None, min_length=1)

    @property
    def examples(self) -> tuple[Any, ...]:
        """Values that show whether the parameter accepts what the search will try."""
        if self.choices is not None:
            return self.choices
        low, high, step = self.low, self.high, self.step
        if low is None or high is None:
            return ()
        if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
            return (low, high)
        return (low, high, low + (high - low) * _INNER if step is None else low + step)

    @model_validator(mode="after")
    def _check(self) -> "SearchRange":
        if self.choices is not None:
            given = sorted(self.model_fields_set - {"choices"})
            if given:
                raise ValueError(f"has `choices`, so {', '.join(given)} must be left out")
            return self
        if self.low is None or self.high is None:
            raise ValueError("needs `low` and `high`, or `choices`")
        if self.low >= self.high:
            raise ValueError(f"`low` must be less than `high`, not {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"`log` needs a `low` greater than 0, not {self.low}")
        if self.log and self.step is not None:
            raise ValueError("`log` and `step` exclude each other: leave one of them out")
        return self


class SearchLimit(Settings):
    """What a detector may cost to be trained in a search.

    Attributes:
        ms_per_window: Most processor time for one window, in milliseconds.
    """

    ms_per_window: float = Field(gt=0, allow_inf_nan=False)


class Experiment(Settings):
    """An experiment, as `conf/experiments/<name>.yml` describes it.

    Attributes:
        hypothesis: One sentence that the results confirm or refute.
        why: Reasons for the hypothesis.
        published: What others published about it: numbers, protocol and source.
        success: Result that confirms the hypothesis; None: the experiment is only described.
        env: Environment of `kedro run`; None: the default one.
        preset: Preset of `kedro run`.
        params: Further parameters, with dotted or nested keys.
        seeds: Values of `train.seed`, each of which is one run.
        size: Selects the resources of its jobs in `conf/base/resources.yml`.
        search: Ranges of parameters for `kedro experiments search`, by dotted key.
        limit: What the detectors of the search may cost; None: anything.
    """

    hypothesis: Annotated[str, AfterValidator(_one_sentence)]
    why: str = ""
    published: str = ""
    success: Success | None = None
    env: str | None = None
    preset: str | None = None
    params: Annotated[Mapping[str, Any], BeforeValidator(lambda given: given or {})] = Field(
        default_factory=dict
    )
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=SEEDS)], ...],
        Field(min_length=1),
        AfterValidator(_without_repeats),
    ] = (0, 1, 2)
    size: Size = "nano"
    search: Mapping[str, SearchRange] = Field(default_factory=dict)
    limit: SearchLimit | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of every run by dotted key, the preset included, without seed and folders."""
        preset = {} if self.preset is None else {"preset": self.preset}
        return {**preset, **flatten(dict(self.params))}
