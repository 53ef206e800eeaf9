"""Optuna's part in a search: the next values to try, hopeless trials, importance of parameters.

Optuna keeps nothing: each call gets all trials, as MLflow describes them. So MLflow remains the
only list of trials, any number of workers can share it, and values depend on earlier trials alone.
"""

import json
import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from etram_pipeline.experiments.definition import SearchRange
from etram_pipeline.experiments.trials.space import num_steps, rounded
from etram_pipeline.experiments.trials.trial import Trial
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.yaml_files import ConfigurationError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

Ranges = Mapping[str, SearchRange]

UNPRUNED = 5
"""Trials that must finish before one is stopped early."""

_ATTEMPTS = 20
"""Proposals after which a search gives up on finding values that no trial has had."""

_DIGITS = 4
"""Digits of a number that is tried, relative to its range: more would only lengthen commands."""

_SEED = 0


def load_optuna() -> ModuleType:
    """The library, with warnings only.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            "a search needs Optuna: pip install -e '.[search]'; without it, a search can try all "
            "combinations of `choices`: leave out --trials"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def suggest(ranges: Ranges, trials: Sequence[Trial], monitor: Monitor) -> dict[str, Any] | None:
    """Values for the next trial; None if no values can be found that no trial has had.

    A repeated trial would compute the same detector again, as all trials have the same seed.

    Raises:
        ConfigurationError: If Optuna is not installed.
    """
    optuna = load_optuna()
    tried = [dict(trial.params) for trial in trials]
    for attempt in range(_ATTEMPTS):
        seed = len(trials) * _ATTEMPTS + attempt
        study = as_study(ranges, trials, monitor)
        study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        asked = study.ask(_distributions(ranges)).params
        found = {key: _from_optuna(ranges[key], value) for key, value in asked.items()}
        if found not in tried:
            return found
    return None


def is_hopeless(ranges: Ranges, trials: Sequence[Trial], trial: Trial, monitor: Monitor) -> bool:
    """Whether the best score so far is worse than the median of finished trials at this step.

    Raises:
        ConfigurationError: If Optuna is not installed.
    """
    pruner = load_optuna().pruners.MedianPruner(n_startup_trials=UNPRUNED)
    frozen = _as_optuna(ranges, trial, monitor)
    others = [other for other in trials if other.run_id != trial.run_id]
    return bool(pruner.prune(as_study(ranges, others, monitor), frozen))


def importances(ranges: Ranges, trials: Sequence[Trial], monitor: Monitor) -> dict[str, float]:
    """Share of each parameter in the differences between scores, by functional ANOVA.

    Source: Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", 2014.

    Returns:
        Shares that add up to 1, the greatest first; empty if the trials do not differ.

    Raises:
        ConfigurationError: If Optuna is not installed.
    """
    optuna = load_optuna()
    study = as_study(ranges, trials, monitor)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=_SEED)
    scores = {trial.best(monitor) for trial in trials if trial.state == "finished"}
    if len(scores - {None}) < 2:  # noqa: PLR2004  # a difference needs two
        return {}
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(share) for key, share in found.items()}


def as_study(ranges: Ranges, trials: Sequence[Trial], monitor: Monitor) -> "Study":
    """All trials as a study of Optuna, in memory, for any of its tools.

    Raises:
        ConfigurationError: If Optuna is not installed.
    """
    optuna = load_optuna()
    direction = "maximize" if monitor.mode == "max" else "minimize"
    study: Study = optuna.create_study(direction=direction)
    study.add_trials([_as_optuna(ranges, trial, monitor) for trial in trials])
    return study


def _as_optuna(ranges: Ranges, trial: Trial, monitor: Monitor) -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    states = {
        "open": TrialState.RUNNING,
        "finished": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
        # Failed trials teach the sampler nothing, so it would propose more of the same.
        "slow": TrialState.PRUNED,
        "refused": TrialState.PRUNED,
    }
    scores = dict(trial.scores or {})
    is_finished = trial.state == "finished"
    return create_trial(
        state=states[trial.state],
        params={key: _to_optuna(ranges[key], value) for key, value in trial.params.items()},
        distributions=_distributions(ranges),
        value=trial.best(monitor) if is_finished else None,
        intermediate_values=scores,
    )


def _distributions(ranges: Ranges) -> "dict[str, BaseDistribution]":
    return {key: _distribution(tried) for key, tried in ranges.items()}


def _distribution(tried: SearchRange) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if tried.choices is not None:
        return CategoricalDistribution([json.dumps(choice) for choice in tried.choices])
    low, high, step = tried.low, tried.high, tried.step
    if low is None or high is None:
        raise ConfigurationError("a range of `search` needs `low` and `high`, or `choices`")
    if step is not None:  # a last step that is cut short would be a warning
        high = rounded(low + num_steps(tried) * step)
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
        return IntDistribution(low, high, log=tried.log, step=step or 1)
    return FloatDistribution(low, high, log=tried.log, step=step)


def _to_optuna(tried: SearchRange, value: object) -> Any:  # noqa: ANN401  # a choice is anything
    return value if tried.choices is None else json.dumps(value)


def _from_optuna(tried: SearchRange, value: Any) -> Any:  # noqa: ANN401
    if tried.choices is not None:
        return json.loads(value)
    if isinstance(value, int) or tried.low is None or tried.high is None:
        return value
    if tried.step is not None:
        return rounded(value)
    if tried.log:
        short = rounded(value, _DIGITS)
    else:
        short = round(value, _DIGITS - math.floor(math.log10(tried.high - tried.low)))
    return min(max(short, tried.low), tried.high)
