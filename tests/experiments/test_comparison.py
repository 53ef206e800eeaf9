"""Comparisons of finished runs, from what MLflow keeps of them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.experiments import compared
from tests.experiments.compared import Detector, launch, log_evaluation
from tests.experiments.conftest import Write
from tests.reports.comparisons import comparison, side

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.core.etram import CLASSES
from etram_pipeline.experiments import compare
from etram_pipeline.experiments.commands import experiments
from etram_pipeline.experiments.commands.compare import show
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.reports.comparison import Judgement
from etram_pipeline.yaml_files import ConfigurationError

NO_LABELS, NOTHING = np.zeros(0, LABEL_DTYPE), np.zeros(0, DETECTION_DTYPE)
ROUNDS = 200
FILES = {
    "comparison.html",
    "hp_lr_scatter.png",
    "leaderboard.csv",
    "metrics_bar_comparison.png",
    "model_size_comparison.png",
    "training_curves.png",
}

Make = Callable[..., None]


@pytest.fixture
def finished(
    own: Project, write: Write, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Makes an experiment with finished runs of its seeds."""
    monkeypatch.chdir(own.path)

    def make(
        name: str, text: str = "", seeds: tuple[int, ...] = (0, 1), **detector: object
    ) -> None:
        write(name, f"seeds: [0, 1]\n{text}")
        launch(own, registry, name, Detector(**detector), seeds)  # type: ignore[arg-type]

    return make


def test_a_clearly_better_experiment_is_found_improved(finished: Make, own: Project) -> None:
    finished("baseline", missed=0.6)
    finished(
        "better", "success: {better_than: baseline, by: 0.1}", missed=0.1, num_parameters=7_000_000
    )
    written = compare("baseline", "better", rounds=ROUNDS)
    (differences,), (judgement,) = written.comparison.differences, written.comparison.judgements
    overall = differences["AP"]
    assert (judgement.verdict, judgement.outcome) == ("improved", "confirmed")
    assert (judgement.low, judgement.high) == (overall.low, overall.high)
    assert overall.difference == pytest.approx(overall.after - overall.before)
    baseline, (other,) = written.comparison.baseline, written.comparison.others
    assert overall.before == pytest.approx(sum(run.values["AP"] for run in baseline.runs) / 2)
    assert other.intervals["AP"].low < overall.after < other.intervals["AP"].high
    assert written.page == own.data(None) / "09_experiments/comparisons/baseline-vs-better" / (
        "comparison.html"
    )
    assert {path.name for path in written.page.parent.iterdir()} == FILES
    (run, _) = other.runs
    assert (run.seed, run.num_parameters, run.learning_rate, run.num_steps, run.seconds) == (
        0,
        7_000_000,
        0.001,
        300,
        62.5,
    )
    assert run.validated_by == "etram_8class"
    assert run.validations[0][0] == 100


def test_the_files_hold_what_was_found(finished: Make) -> None:
    finished("baseline", missed=0.3)
    finished("same", missed=0.3)
    written = compare("baseline", "same", rounds=ROUNDS)
    assert written.comparison.judgements[0].verdict == "undecided"
    assert written.comparison.unlabelled == CLASSES[2:]
    assert f"No labels of {', '.join(CLASSES[2:])}" in written.page.read_text()
    with (written.page.parent / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["experiment"], row["seed"]) for row in rows] == [
        (name, seed) for name in ("baseline", "same") for seed in "01"
    ]
    assert float(rows[0]["AP"]) == written.comparison.baseline.runs[0].values["AP"]
    first = {path.name: path.read_bytes() for path in written.page.parent.iterdir()}
    compare("baseline", "same", rounds=ROUNDS)
    assert {path.name: path.read_bytes() for path in written.page.parent.iterdir()} == first


def test_the_intervals_that_decide_are_wider_for_several_sides(finished: Make) -> None:
    for name, missed in (("baseline", 0.3), ("one", 0.25), ("two", 0.35)):
        finished(name, missed=missed)
    found = compare("baseline", "one", "two", rounds=ROUNDS).comparison
    for differences, judgement in zip(found.differences, found.judgements, strict=True):
        low, high = differences["AP"].low, differences["AP"].high
        assert None not in (low, high, judgement.low, judgement.high)
        assert judgement.low < low < high < judgement.high  # type: ignore[operator]


def test_unfinished_seeds_are_left_out_and_named(
    finished: Make, own: Project, registry: Registry
) -> None:
    finished("baseline")
    finished("other", seeds=(0,))
    registry.schedule("other", own.described("other"), 1, own.path)
    (other,) = compare("baseline", "other", rounds=ROUNDS).comparison.others
    assert [run.seed for run in other.runs] == [0]
    assert other.left_out == ("seed 1 is not finished, but scheduled",)


def test_runs_with_former_settings_are_left_out(finished: Make, write: Write) -> None:
    finished("baseline")
    finished("other")
    write("other", "seeds: [0, 1]\nparams: {train.max_steps: 7}")
    with pytest.raises(ConfigurationError, match="has no finished run to compare: seed 0 has only"):
        compare("baseline", "other")
    with pytest.raises(ConfigurationError, match="run `kedro experiments launch other`"):
        compare("baseline", "other")


def test_single_runs_are_compared_by_id_prefix_and_name(
    finished: Make, registry: Registry, tmp_path: Path
) -> None:
    finished("baseline")
    runs = [
        registry.client.create_run(registry.experiment_id, run_name=name).info.run_id
        for name in ("detections of others", "again")
    ]
    for run_id in runs:
        log_evaluation(registry, run_id, Detector(0.5), tmp_path / run_id)
    written = compare("baseline", "detections of others", runs[1][:12], rounds=ROUNDS)
    first, second = written.comparison.others
    assert (first.name, second.name) == ("detections of others", "again")
    assert (first.hypothesis, first.runs[0].seed, first.num_parameters) == ("", None, None)
    assert first.runs[0].run_id == runs[0]
    assert "detections of others" in written.page.read_text()
    assert written.page.parent.name == "baseline-vs-detections_of_others-again"


def test_an_evaluation_of_a_checkpoint_has_the_course_of_its_training(
    finished: Make, registry: Registry, tmp_path: Path
) -> None:
    finished("baseline")
    training = registry.runs(["baseline"])[0]
    run = registry.client.create_run(registry.experiment_id, run_name="later").info.run_id
    registry.client.set_tag(run, "training_run_id", training.run_id)
    log_evaluation(registry, run, Detector(0.5), tmp_path)
    (later,) = compare("baseline", "later", rounds=ROUNDS).comparison.others
    assert later.num_parameters == 4_000_000
    assert later.runs[0].num_steps == 300
    assert later.settings["train.optimizer.learning_rate"] == "0.001"


def test_a_name_that_means_nothing_or_several_runs_is_refused(
    finished: Make, registry: Registry
) -> None:
    finished("baseline")
    for _ in range(2):
        registry.client.create_run(registry.experiment_id, run_name="double")
    with pytest.raises(ConfigurationError, match="did you mean 'baseline'"):
        compare("baseline", "baselin")
    with pytest.raises(ConfigurationError, match="'double' means 2 runs"):
        compare("baseline", "double")
    with pytest.raises(ConfigurationError, match="baseline is given twice"):
        compare("baseline", "baseline")
    with pytest.raises(ConfigurationError, match="compared with nothing"):
        compare("baseline")


def test_a_run_without_matches_is_refused(finished: Make, registry: Registry) -> None:
    finished("baseline")
    registry.client.create_run(registry.experiment_id, run_name="empty")
    with pytest.raises(ConfigurationError, match=r"'empty' can be compared: .* was not evaluated"):
        compare("baseline", "empty")


def test_different_recordings_labels_and_protocols_are_refused(finished: Make) -> None:
    finished("baseline")
    finished("fewer", num_recordings=5)
    finished("relabelled", truth=3)
    finished("elsewhere", protocols=("rvt_gen1",))
    with pytest.raises(ProtocolError, match=r"baseline \(seed 0\) and fewer \(seed 0\): .* on 5"):
        compare("baseline", "fewer")
    with pytest.raises(ProtocolError, match=r"relabelled \(seed 0\): results with the labels"):
        compare("baseline", "relabelled")
    with pytest.raises(ProtocolError, match="baseline: etram_8class; elsewhere: rvt_gen1"):
        compare("baseline", "elsewhere")
    with pytest.raises(ProtocolError, match="not all evaluated by the protocol 'rvt_gen1'"):
        compare("baseline", "fewer", protocol="rvt_gen1")


def test_the_protocol_is_that_of_the_criterion_unless_asked_otherwise(finished: Make) -> None:
    both = ("etram_8class", "coco")
    finished("baseline", protocols=both)
    criterion = "success: {better_than: baseline, protocol: coco, metric: car/AP}"
    finished("other", criterion, protocols=both)
    by_criterion = compare("baseline", "other", rounds=ROUNDS).comparison
    assert by_criterion.protocol.name == "coco"
    assert by_criterion.judgements[0].metric == "car/AP"
    asked = compare("baseline", "other", rounds=ROUNDS, protocol="etram_8class").comparison
    assert asked.judgements[0].outcome == "not judged"
    assert "under the protocol coco" in asked.judgements[0].criterion


def test_a_criterion_without_a_protocol_is_about_the_first_one(finished: Make) -> None:
    both = ("etram_8class", "coco")
    finished("baseline", protocols=both)
    finished("other", "success: {better_than: baseline}", protocols=both)
    first = compare("baseline", "other", rounds=ROUNDS).comparison.judgements[0]
    assert first.outcome != "not judged"
    asked = compare("baseline", "other", rounds=ROUNDS, protocol="coco").comparison.judgements[0]
    assert asked.outcome == "not judged"
    assert "under the protocol etram_8class" in asked.criterion


def test_the_page_has_the_command_that_makes_it_again(finished: Make, tmp_path: Path) -> None:
    finished("baseline")
    finished("other")
    out = tmp_path / "a page"
    page = compare("baseline", "other", protocol="etram_8class", rounds=ROUNDS, out=out).page
    command = f"compare baseline other --protocol etram_8class --out &#39;{out}&#39; --rounds 200"
    assert f"kedro experiments {command}</code>" in page.read_text()


def test_recordings_without_labels_cannot_be_compared(
    finished: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compared, "tables", lambda *_: ({"test/a": NO_LABELS}, {"test/a": NOTHING}))
    finished("baseline")
    finished("other")
    with pytest.raises(ProtocolError, match="AP cannot be compared: the recordings have no labels"):
        compare("baseline", "other", rounds=ROUNDS)


def test_an_experiment_with_invalid_settings_is_refused(finished: Make, write: Write) -> None:
    finished("baseline")
    finished("other")
    write("other", "seeds: [0, 1]\nparams: {train.max_steps: -7}")
    with pytest.raises(ConfigurationError, match=r"train\.max_steps: "):
        compare("baseline", "other")


def test_a_folder_of_something_else_is_not_replaced(finished: Make, tmp_path: Path) -> None:
    finished("baseline")
    finished("other")
    kept = tmp_path / "mine" / "notes.txt"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(ConfigurationError, match="holds no comparison"):
        compare("baseline", "other", out=kept.parent, rounds=ROUNDS)
    assert kept.exists()
    written = compare("baseline", "other", out=tmp_path / "new", rounds=ROUNDS)
    assert written.page == tmp_path / "new" / "comparison.html"


def test_the_command_prints_what_was_found_as_json(finished: Make) -> None:
    finished("baseline", missed=0.6)
    finished("better", missed=0.1)
    arguments = ["compare", "baseline", "better", "--rounds", str(ROUNDS), "--json"]
    result = CliRunner().invoke(experiments, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["judgements"][0]["verdict"] == "improved"
    refused = CliRunner().invoke(experiments, ["compare", "baseline", "nothing"])
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: ")


def test_the_command_shows_verdicts_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(comparison(side("other", left_out=("seed 2 has not been launched",))))
    text = capsys.readouterr().out
    for part in ("other", "AP", "+0.020", "undecided", "3 seeds each"):
        assert part in text
    assert "left out: other: seed 2 has not been launched" in text
    assert "hold together" not in text


def test_the_table_shows_the_intervals_that_decide(capsys: pytest.CaptureFixture[str]) -> None:
    wider = Judgement(metric="AP", low=-0.03, high=0.06)
    show(comparison(side("one"), side("two"), judgements=(wider, wider)))
    text = capsys.readouterr().out
    assert "+0.060" in text
    assert "+0.040" not in text
    assert "all of them hold together" in text
