"""Faults of an experiment are found before anything is launched."""

import re

import pytest
from tests.conftest import PROJECT
from tests.experiments.compared import Detector, tables
from tests.experiments.conftest import Write

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.evaluation import evaluate, find_operating_scores
from etram_pipeline.evaluation.comparison import plain_values
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.validation import metrics_of
from etram_pipeline.yaml_files import ConfigurationError

READY = Project(PROJECT)


def faults(project: Project, name: str) -> list[str]:
    """Lines about a file, without its path."""
    with pytest.raises(ConfigurationError) as caught:
        project.experiment(name)
    first, *others = str(caught.value).splitlines()
    path = f"{project.file(name)}:"
    assert first.startswith(path)
    lines = [first.removeprefix(path).strip(), *(line.strip() for line in others)]
    return [line for line in lines if line]


@pytest.mark.parametrize("name", READY.names())
def test_every_ready_experiment_can_be_launched(name: str) -> None:
    experiment = READY.experiment(name)
    assert experiment.hypothesis.endswith(".")
    assert experiment.why
    if experiment.published:
        assert "Caveat:" in experiment.published


def test_experiments_published_for_etram_are_ready_with_their_results() -> None:
    page = (PROJECT / "docs" / "variants.md").read_text().partition("\n## What the published")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d\d\.\d) \| (\S+) \|", page, re.MULTILINE)
    assert len(rows) == 15
    for preset, overall, small in rows:
        experiment = READY.described(preset)
        assert (experiment.preset, experiment.env) == (preset, "etram")
        assert f"AP {overall} %" in experiment.published
        if small[0].isdecimal():
            assert f"AP small {small} %" in experiment.published


def test_experiments_published_for_rf_detr_are_ready() -> None:
    names = {experiment.preset for experiment in map(READY.described, READY.names())}
    assert {name for name in names if name and name.startswith("rf_detr")} == {
        *("rf_detr_nano", "rf_detr_small", "rf_detr_medium"),
        *("rf_detr_nano_cosine", "rf_detr_medium_lowlr"),
    }


def test_the_study_of_memory_changes_nothing_but_the_cell() -> None:
    memory, without = READY.experiment("memory"), READY.experiment("no_memory")
    assert without.parameters == {"detector.cell.kind": "identity"}
    assert memory.parameters == {}
    assert (memory.env, memory.seeds) == (without.env, without.seeds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hypothesis: …", "hypothesis: is still to be written: one sentence"),
        (f"hypothesis: {'better ' * 200}", "hypothesis: has 1399 characters: state it in one"),
        ("hypotesis: it helps\nhypothesis: it helps", "did you mean 'hypothesis'?"),
        ("seeds: [0, 1, 0]", r"seeds: seeds [0] are listed twice"),
        ("seeds: [4294967296]", "seeds.0: must be less than 4294967296, not 4294967296"),
        ("1: 2", "the key 1 must be text: put it in quotes"),
        ("true: 2", "the key True must be text: put it in quotes"),
        ("null: 2", "a key: Incompatible key type 'NoneType'"),
        ("params: !!set {train}", "params: Value 'set' is not a supported primitive type"),
        ("why: it costs ${nothing", "why: `${` begins a reference to another value"),
        ("size: nanno", "size: must be 'nano', 'small'"),
        ("env: etrm", "unknown environment 'etrm'; did you mean 'etram'?"),
        ("preset: rvt_tny", "unknown preset 'rvt_tny'; did you mean 'rvt_tiny'?"),
        ("params: {trian.lanes: 2}", "params: unknown parameter 'trian'; did you mean 'train'?"),
        ("params: {max_steps: 2}", "did you mean 'train.max_steps'?"),
        ("params: {train: {max_step: 1}}", "train.max_step: unknown key; did you mean 'max_steps'"),
        ("params: {train.lanes: two}", "train.lanes: must be a whole number, not 'two'"),
        ("params: {train.lanes: 2, train: {lanes: 3}}", "train.lanes is set twice"),
        ("params: {train.seed: 3}", "train.seed cannot be set: list the seeds under `seeds`"),
        ("params: {train: {seed: 3}}", "train.seed cannot be set: list the seeds under `seeds`"),
        ("params: {preset: yolox}", "preset cannot be set: use the key `preset`"),
        ("params: {results: there}", "results cannot be set: each run has a folder of its own"),
        ("params: {mlflow: false}", "mlflow cannot be set: MLflow keeps the list of runs"),
        ("params: {executor.workers: 2}", "executor.workers cannot be set: it changes no result"),
        ("params: {checkpoint: a.ckpt}", "checkpoint cannot be set: a run evaluates the detector"),
        ("params: {representation.bins: 5}", "add a data folder of its own to `params`"),
        ("success: {better_than: own}", "better_than: own is this experiment"),
        ("success: {better_than: othr}", "unknown experiment 'othr'; did you mean 'other'?"),
        ("success: {better_than: far}", "far runs in another environment, etram,"),
        ("success: {better_than: other, metric: AP_small}", "unknown metric 'AP_small'"),
        ("success: {better_than: other, metric: lorry/AP}", "unknown metric 'lorry/AP'"),
        ("success: {better_than: other, protocol: gen1}", "unknown protocol 'gen1'"),
        ("success: {better_than: other, protocol: etram_fork}", "`evaluate.protocols` lists"),
        ("success: {better_than: other, by: .inf}", "success.by: must be a finite number"),
        ("search: {train.lanes: {low: 1, high: .inf}}", "high: must be a finite number, not inf"),
        ("search: {train.lanes: {low: 2}}", "search.train.lanes: needs `low` and `high`"),
        ("search: {train.lanes: {low: 4, high: 2}}", "`low` must be less than `high`"),
        ("search: {train.lanes: {low: 0, high: 2, log: true}}", "needs a `low` greater than 0"),
        ("search: {train.lanes: {low: 1, high: 2, choices: [3]}}", "low must be left out"),
        ("search: {train.lanes: {low: 0, high: 2}}", "search: train.lanes: must be at least 1"),
        ("search: {train.lanes: {low: 1, high: 2, step: 0.5}}", "train.lanes: must be a whole"),
        ("search: {train.lans: {choices: [1]}}", "unknown key; did you mean 'lanes'?"),
        ("search: {trian.lanes: {choices: [1]}}", "search: unknown parameter 'trian'"),
        ("search: {train.seed: {choices: [1, 2]}}", "search: train.seed cannot be set"),
        ("search: {train: {choices: [{seed: 1}]}}", "search: train.seed cannot be set"),
        ("search: {representation.bins: {choices: [5]}}", "would change the prepared data"),
        (
            "search: {detector.backbone: {choices: [{embed_dim: 16}]}, "
            "detector.backbone.embed_dim: {choices: [32]}}",
            "detector.backbone and detector.backbone.embed_dim both set detector.backbone.embed",
        ),
        ("limit: {ms_per_window: 20}", "limit: it is about the trials of a search"),
        ("limit: {ms_per_window: 0}", "limit.ms_per_window: must be greater than 0"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line(own: Project, write: Write, text: str, message: str) -> None:
    write("other", "")
    write("far", "env: etram")
    write("own", text)
    (found,) = faults(own, "own")
    assert message in found


def test_all_faults_of_a_file_are_reported_together(own: Project, write: Write) -> None:
    write(
        "own",
        "hypothesis: ''\nsize: tiny\nenv: etrm\npreset: rvt_tny\n"
        "params: {trian: 1, train.max_step: 1, mlflow: false}\n"
        "success: {better_than: nobody, metric: AQ}\n"
        "search: {train.lane: {choices: [1]}}",
    )
    found = faults(own, "own")
    assert [line.split(":")[0] for line in found] == [
        *("hypothesis", "size", "params", "env", "preset", "params", "params"),
        *("search", "success.metric", "success.better_than"),
    ]


def test_a_valid_experiment_has_no_faults(own: Project, write: Write) -> None:
    write("other", "params: {data: other, representation.bins: 5}")
    write(
        "own",
        "preset: rvt_nano\nparams: {train: {precision: 32}, detector.neck_stages: [3, 4]}\n"
        "success: {better_than: other, metric: car/AP, protocol: etram_8class, by: 0.01}\n"
        "search: {train.optimizer.learning_rate: {low: 1.0e-4, high: 0.01, log: true}}",
    )
    assert own.experiment("own").seeds == (0, 1, 2)
    assert own.experiment("other").parameters["data"] == "other"


@pytest.mark.parametrize("name", ["two words", "a..b", "-x", "ä"])
def test_a_file_may_be_named_so_that_it_is_no_experiment(
    own: Project, write: Write, name: str
) -> None:
    write(name, "")
    (found,) = faults(own, name)
    assert "cannot be the name of an experiment" in found


def test_an_unknown_experiment_is_refused_with_the_nearest(own: Project, write: Write) -> None:
    write("baseline", "")
    with pytest.raises(ConfigurationError, match="did you mean 'baseline'"):
        own.experiment("baselin")


def test_every_value_of_an_evaluation_can_be_a_criterion() -> None:
    found = tables(Detector(), seed=0)
    scores = find_operating_scores(*found, "etram_8class", CLASSES)
    metrics = evaluate(*found, "etram_8class", CLASSES, operating_scores=scores)
    names = {name for name in plain_values(metrics) if name != "operating/score"}
    assert {"AP", "car/AP_50", "day/AP", "operating/F1", "car/operating/F1"} <= names
    assert names <= metrics_of(metrics.protocol, CLASSES).keys()


def test_files_that_editors_leave_are_no_experiments(own: Project, write: Write) -> None:
    write("own", "")
    (own.definitions / ".#own.yml").symlink_to("user@host.1234:1700000000")  # as Emacs does
    (own.definitions / "._own.yml").write_bytes(b"\0\5\x16\7")  # as macOS does
    assert own.names() == ["own"]
    assert own.experiment("own").seeds == (0, 1, 2)


def test_a_folder_named_like_a_file_stops_no_other_experiment(own: Project, write: Write) -> None:
    write("own", "")
    own.file("folder").mkdir()
    assert own.experiment("own").seeds == (0, 1, 2)
    with pytest.raises(ConfigurationError, match=r"folder\.yml cannot be read: Is a directory"):
        own.experiment("folder")
