"""What a search computes, and what cannot be searched."""

import pytest
from tests.experiments.conftest import Write
from tests.experiments.trials.conftest import METRIC, RATE, trial

from etram_pipeline import arguments
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.trials.plan import plan_search
from etram_pipeline.yaml_files import ConfigurationError

RANGES = """
seeds: [3, 4]
params: {detector: {cell: {kind: conv_lstm}}}
search:
  train.optimizer.learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}
  detector.cell: {choices: [{kind: conv_lstm}, {kind: identity}]}
"""


def test_trial_is_a_training_with_the_values_instead_of_those_of_the_experiment(
    own: Project, write: Write
) -> None:
    write("tiny", RANGES)
    search = plan_search(own, "tiny")
    tried = trial(0, params={RATE: 1e-05, "detector.cell": {"kind": "identity"}})
    command = search.command(tried)
    assert command[:4] == ["kedro", "run", "--pipelines", "train"]
    assert arguments.parse(command[5]) == {
        "detector": {"cell": {"kind": "identity"}},
        "train": {"optimizer": {"learning_rate": 1e-05}, "seed": 3},
        "results": str(tried.results),
    }


def test_score_is_what_selects_the_best_checkpoint(own: Project, write: Write) -> None:
    write("tiny", RANGES)
    search = plan_search(own, "tiny")
    assert (search.monitor.name, search.monitor.mode) == (METRIC, "max")
    assert search.folder == own.folder("tiny", None) / "search"
    assert search.num_validations == 2


def test_steps_of_a_trial_may_be_searched(own: Project, write: Write) -> None:
    write("tiny", "search: {train.max_steps: {low: 10, high: 20}}")
    search = plan_search(own, "tiny")
    assert search.max_steps(trial(0, params={"train.max_steps": 12})) == 12
    assert search.max_steps(trial(0)) == search.train.max_steps


def test_first_trial_has_the_values_of_the_experiment_if_they_are_in_range(
    own: Project, write: Write
) -> None:
    write("inside", "search: {train.optimizer.learning_rate: {low: 0.001, high: 0.01}}")
    assert plan_search(own, "inside").own == {RATE: 0.006}
    write("outside", "search: {train.optimizer.learning_rate: {low: 0.01, high: 0.1}}")
    assert plan_search(own, "outside").own is None


def test_search_continues_under_its_name_only_with_the_same_settings(
    own: Project, write: Write
) -> None:
    write("tiny", RANGES)
    first = plan_search(own, "tiny")
    assert plan_search(own, "tiny").token == first.token
    write("tiny", RANGES.replace("1.0e-2", "1.0e-1"))
    with pytest.raises(ConfigurationError) as refused:
        plan_search(own, "tiny")
    text = str(refused.value)
    assert "begun with other values of search (see" in text
    assert "another name" in text
    assert f"delete {first.folder} to begin a new search of tiny" in text


def test_deleting_the_folder_begins_another_search(own: Project, write: Write) -> None:
    write("tiny", RANGES)
    first = plan_search(own, "tiny")
    for path in first.folder.iterdir():
        path.unlink()
    assert plan_search(own, "tiny").token != first.token


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [0]", "the experiment tiny has nothing to search: add ranges under `search`"),
        (
            "search: {train.validation.protocol: {choices: [etram_8class, etram_3class]}}",
            "cannot search train.validation.protocol: it decides how trials are compared",
        ),
        (
            "search: {predict.lanes: {choices: [1, 2]}}",
            "cannot search predict.lanes: a trial only trains a detector, which depends on train "
            "and detector",
        ),
        ("search: {train.lanes: {low: 1.0, high: 4.0}}", "train.lanes: must be a whole number"),
        ("search: {train.seed: {choices: [1, 2]}}", "train.seed cannot be set"),
        ("search: {train.rate: {choices: [1, 2]}}", "rate"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    own: Project, write: Write, text: str, message: str
) -> None:
    write("tiny", text)
    with pytest.raises(ConfigurationError) as refused:
        plan_search(own, "tiny")
    assert message in str(refused.value)


def test_search_without_mlflow_is_refused_before_it_begins(own: Project, write: Write) -> None:
    write("tiny", RANGES)
    (own.path / "conf" / "local").mkdir(exist_ok=True)
    (own.path / "conf" / "local" / "mlflow.yml").write_text("enabled: false\n")
    with pytest.raises(ConfigurationError, match=r"mlflow\.yml: `enabled` is false"):
        plan_search(own, "tiny")
    assert not own.folder("tiny", None).exists()
