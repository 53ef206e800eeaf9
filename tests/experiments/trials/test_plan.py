"""What a search computes, and what cannot be searched."""

import pytest
from tests.experiments.conftest import Write
from tests.experiments.trials.conftest import METRIC, RATE, WIDTH, trial

from etram_pipeline import arguments
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.trials.plan import plan_search
from etram_pipeline.experiments.trials.space import combinations
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
            "search: {train.validation: {choices: [{protocol: etram_3class}]}}",
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


ARCHITECTURES = """
params: {detector.backbone.attention.dim_head: 8}
search:
  detector:
    choices:
    - {backbone: {num_blocks: [1, 1], dim_multipliers: [1, 2]}, neck_stages: [1, 2]}
    - {backbone: {num_blocks: [1, 1, 1, 1]}}
  detector.backbone.embed_dim: {choices: [8, 16]}
  detector.cell: {choices: [{kind: identity}, {kind: conv_lstm}]}
limit: {ms_per_window: 30}
"""


def test_values_that_belong_together_are_one_choice(own: Project, write: Write) -> None:
    write("tiny", ARCHITECTURES)
    search = plan_search(own, "tiny")
    first = next(combinations(search.experiment.search))
    command = search.command(trial(0, params=first))
    assert arguments.parse(command[5])["detector"] == {
        "backbone": {
            "attention": {"dim_head": 8},
            "num_blocks": [1, 1],
            "dim_multipliers": [1, 2],
            "embed_dim": 8,
        },
        "neck_stages": [1, 2],
        "cell": {"kind": "identity"},
    }


def test_choice_that_changes_nothing_is_the_own_value_of_the_experiment(
    own: Project, write: Write
) -> None:
    write("tiny", ARCHITECTURES)
    assert plan_search(own, "tiny").own == {
        "detector": {"backbone": {"num_blocks": [1, 1, 1, 1]}},
        WIDTH: 16,
        "detector.cell": {"kind": "conv_lstm"},
    }


def test_search_does_not_continue_with_another_limit(own: Project, write: Write) -> None:
    write("tiny", ARCHITECTURES)
    plan_search(own, "tiny")
    write("tiny", ARCHITECTURES.replace("30", "40"))
    with pytest.raises(ConfigurationError, match="begun with other values of limit"):
        plan_search(own, "tiny")
