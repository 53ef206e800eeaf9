"""A comparison of experiments, made up by hand."""

from etram_pipeline.evaluation.paired import Difference
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Interval
from etram_pipeline.reports.comparison import ComparedRun, Comparison, Judgement, Side

BETTER = {"low": 0.004, "high": 0.05, "verdict": "improved"}
WORSE = {"low": -0.05, "high": -0.004, "verdict": "degraded"}
UNCLEAR = {"low": -0.01, "high": 0.04}
NO_INTERVAL = {"low": None, "high": None, "num_recordings": 1, "caution": "all labels are in one"}


def difference(value: float, **fields: object) -> Difference:
    """A difference to 0.5, without an interval unless it is given."""
    known = {"num_labels": 1200, "num_recordings": 12, **fields}
    values = {"before": 0.5, "after": 0.5 + value, "difference": value}
    return Difference.model_validate({**values, **known})


def side(name: str, value: float = 0.5, num_runs: int = 3, **fields: object) -> Side:
    """A side whose runs differ a little."""
    runs = tuple(
        ComparedRun(
            name=f"seed {seed}",
            run_id=f"{name}{seed}",
            seed=seed,
            values={"AP": value + 0.01 * (seed - (num_runs - 1) / 2), "AP_50": value + 0.2},
            validations=((100, value - 0.2), (200, value)),
            validated_by="coco",
            num_parameters=4_000_000,
            learning_rate=0.001,
            seconds=60.0,
            command=f"kedro run --params train.seed={seed}",
        )
        for seed in range(num_runs)
    )
    intervals = {"AP": Interval(value=value, low=value - 0.1, high=value + 0.1)}
    known = {"hypothesis": f"{name} helps", "intervals": intervals, "runs": runs}
    return Side.model_validate({"name": name, **known, **fields})


def comparison(*others: Side, **fields: object) -> Comparison:
    """A comparison with `baseline`, with a clear, an unclear and an unknown difference."""
    others = others or (side("other", 0.52),)
    found = {
        "AP": difference(0.02, **UNCLEAR),
        "AP_50": difference(0.03, **BETTER),
        "AP_S": difference(-0.03, **WORSE),
        "night/AP": difference(0.02, **UNCLEAR),
        "operating/F1": difference(0.02, **UNCLEAR),
        "tram/AP": difference(-0.3, **NO_INTERVAL),
    }
    judgement = Judgement(metric="AP", low=-0.01, high=0.04)
    known = {
        "protocol": Protocol(name="coco"),
        "split": "test",
        "num_recordings": 12,
        "num_labels": 1200,
        "rounds": 1000,
        "baseline": side("baseline"),
        "others": others,
        "differences": tuple(found for _ in others),
        "judgements": tuple(judgement for _ in others),
    }
    return Comparison.model_validate({**known, **fields})
