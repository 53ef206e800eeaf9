"""Tables of a comparison of experiments."""

from collections.abc import Sequence
from itertools import combinations

from etram_pipeline.core.counts import duration
from etram_pipeline.reports.comparison import ComparedRun, Comparison, Side
from etram_pipeline.reports.tables import Cell, Table

_UNKNOWN = "–"  # noqa: RUF001  # a dash that is as wide as a digit


def side_table(comparison: Comparison) -> Table:
    """One row per side, the best first: mean values with intervals, and costs."""
    values = comparison.protocol.shown("protocols")
    return Table(
        header=(
            "side",
            "runs",
            *(value.title for value in values),
            "parameters",
            "steps",
            "time per run",
        ),
        rows=tuple(
            (
                side.name,
                len(side.runs),
                *(_with_interval(side, value.name) for value in values),
                _known(side.num_parameters),
                _known(max((run.num_steps or 0 for run in side.runs), default=0) or None),
                _mean_time(side.runs),
            )
            for side in ranked(comparison)
        ),
    )


def leaderboard(comparison: Comparison) -> Table:
    """One row per run, those of the best side first, with every value that the runs share."""
    runs = [(side, run) for side in ranked(comparison) for run in side.runs]
    names = [name for name in runs[0][1].values if all(name in run.values for _, run in runs)]
    return Table(
        header=(
            "rank",
            "experiment",
            "seed",
            "run_name",
            "run_id",
            "model_size",
            "num_parameters",
            "lr",
            "steps",
            "seconds",
            *names,
        ),
        rows=tuple(
            (
                1 + ranked(comparison).index(side),
                side.name,
                run.seed,
                run.name,
                run.run_id,
                side.size,
                run.num_parameters,
                run.learning_rate,
                run.num_steps,
                run.seconds,
                *(run.values[name] for name in names),
            )
            for side, run in runs
        ),
    )


def setting_tables(comparison: Comparison) -> tuple[Table, Table]:
    """Settings that differ between sides that have them, and settings that only some sides have.

    A detector of another kind has other settings, which would hide those that were changed.
    """
    sides = comparison.sides
    names = list(dict.fromkeys(name for side in sides for name in side.settings))
    differing = [name for name in names if _differs(name, sides)]
    partial = [
        name
        for name in names
        if name not in differing and any(name not in side.settings for side in sides)
    ]
    first, second = (
        Table(
            header=("setting", *(side.name for side in sides)),
            rows=tuple(
                (name, *(side.settings.get(name, _UNKNOWN) for side in sides)) for name in rows
            ),
        )
        for rows in (differing, partial)
    )
    return first, second


def ranked(comparison: Comparison) -> list[Side]:
    """The sides, the best mean of the headline value first."""
    value = comparison.headline
    sign = -1 if value.higher_is_better else 1

    def place(side: Side) -> float:
        mean = side.mean(value.name)
        return float("inf") if mean is None else sign * mean

    return sorted(comparison.sides, key=place)


def _differs(name: str, sides: Sequence[Side]) -> bool:
    known = [side.settings[name] for side in sides if name in side.settings]
    return any(one != other for one, other in combinations(known, 2))


def _with_interval(side: Side, name: str) -> Cell:
    mean, interval = side.mean(name), side.intervals.get(name)
    if mean is None:
        return None
    text = f"{mean:.3f}"
    return f"{text} ({interval.low:.3f} … {interval.high:.3f})" if interval else text


def _known(number: int | None) -> Cell:
    return _UNKNOWN if number is None else number


def _mean_time(runs: Sequence[ComparedRun]) -> str:
    seconds = [run.seconds for run in runs if run.seconds is not None]
    return duration(sum(seconds) / len(seconds)) if seconds else _UNKNOWN
