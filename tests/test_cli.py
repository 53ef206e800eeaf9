"""The command line in this process: a start of Kedro for each case would take seconds."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kedro.framework.session import KedroSession
from tests.conftest import PROJECT

from etram_pipeline import cli


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.run, list(words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--runner ParallelRunner", "ParallelRunner is not supported"),
        ("--runner SequentialRuner", "unknown runner 'SequentialRuner'; did you mean 'Sequential"),
        ("--runner no.such.Runner", "the runner no.such.Runner cannot be loaded"),
        ("--runner pathlib.Path", "pathlib.Path is not a runner; known: SequentialRunner"),
        ("--runner-params max_workers=2", "--runner-params: "),
        ("--tags cpu", "--tags: unknown tag 'cpu'; did you mean 'gpu'? known: gpu"),
        ("--pipelines report --tags gpu", "--tags: unknown tag 'gpu'; these pipelines have none"),
        ("--from-nodes write_report", "unknown node 'write_report'; did you mean 'report.write_re"),
        ("--to-nodes train", "--to-nodes: unknown node 'train'"),
        ("--nodes report.write_reprot", "--nodes: unknown node 'report.write_reprot'; did you"),
        (
            "--from-inputs recording",
            "--from-inputs: unknown dataset 'recording'; did you mean 'rec",
        ),
        ("--to-outputs params:tran", "unknown dataset 'params:tran'; did you mean 'params:train'?"),
        ("--namespaces trian", "--namespaces: unknown namespace 'trian'; did you mean 'train'?"),
        ("--tags gpu --nodes report.write_report", "--tags, --nodes leave no node of __default__"),
        ("--pipelines repot", "unknown pipeline 'repot'; did you mean 'report'?"),
        ("--load-versions metric:2020", "unknown dataset 'metric'; did you mean 'metrics'?"),
        ("--load-versions metrics:2020", "the catalog keeps no versions of metrics"),
        ("--load-versions metrics", "'load_versions' to be 'dataset_name:"),
        ("--conf-source missing", "Path 'missing' does not exist"),
        ("--config missing.yml", "File 'missing.yml' does not exist"),
        ("--env etrm", "unknown environment 'etrm'; did you mean 'etram'? known: base, dask"),
        ("--env ETRAM", "unknown environment 'ETRAM'; did you mean 'etram'?"),
        ("--env tinny", "unknown environment 'tinny'; did you mean '--params preset=rvt_tiny'?"),
        ("--params preset=etram", "unknown preset 'etram'; did you mean '--env etram'?"),
        ("--params track=false", "to run without MLflow, use `mlflow=false`"),
        (
            "--params track.tracker.rest=3",
            "track.tracker.rest: unknown key; did you mean 'rest_s'?",
        ),
        ("--params site=none.yml --pipelines count", "there is no site file"),
        ("--params mlflow=flase", "mlflow.yml: enabled: must be true or false, not 'flase'"),
        ("--params lanes", "`lanes` in --params is not `key=value`"),
        ("--params =3", "has no key before `=`"),
        ("--params train..lanes=3", "`train..lanes=3` in --params has no key between its dots"),
        ("--params train.=3", "has no key between its dots"),
        ("--params learning_rate=3", "did you mean 'train.optimizer.learning_rate'?"),
        (
            "--params lanes=3",
            "unknown parameter 'lanes'; did you mean 'deploy.lanes or predict.lanes or train",
        ),
        ("--params data=", "`data` must be the path of a folder, not ''"),
        ("--params results=null", "`results` must be the path of a folder, not 'null'"),
        ("--params train.seed=4294967296", "train.seed: must be less than 4294967296"),
        ("--params predict.device=foo", "predict.device: must be auto, cpu, cuda or cuda:<number>"),
        ("--params dataset.class_names=[car,car]", "class_names give ['car'] to several"),
        ("--from-nodes predict", "did you mean 'predict.predict_detections'?"),
        ("--conf-source .", "has no `base`, so it holds no configuration"),
        ("--params recordng=x", "unknown parameter 'recordng'; did you mean 'recording'?"),
        ("--params train.lanes=two", "train.lanes: must be a whole number, not 'two'"),
        ("--pipelines predict,evaluate --params train.lanse=1", "train.lanse: unknown key; did yo"),
        ("--pipelines predict --params a.b=1", "unknown parameter 'a'"),
        ("--env recording --pipelines quality --params recording=../y", "/y does not exist: rel"),
        ("--env recording --pipelines quality --params recording=", "`recording` is empty"),
        ("--node x", "No such option '--node'"),
        ("-p report --params preset=rvt_smal", "did you mean 'rvt_small'?"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_is_told_in_one_line(words: str, message: str) -> None:
    ended = run(*words.split())

    *_, told = ended.output.partition("\nError: " if "\nError: " in ended.output else "Error: ")
    assert ended.exit_code in {1, 2}
    assert message in ended.output
    assert told
    # Several faults have an indented line each.
    assert all(line.startswith("  ") for line in told.splitlines()[1:])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("local/catalog.yml", "recordings: {type: text.TextDataset, pth: x}", "catalog, record"),
        ("local/catalog.yml", "recordings: {path: x}", "catalog, recordings: 'type' is missing"),
        ("local/catalog.yml", "recordings: x", "catalog, recordings: "),
        ("local/catalog.yml", "recordings: {type: text.TxtDataset}", "catalog, recordings: No"),
        ("local/globals.yml", "dta: elsewhere", "globals: unknown key 'dta'; did you mean 'data'?"),
        ("local/globals.yml", "data: [a]", "`data` must be the path of a folder, not ['a']"),
        ("local/globals.yml", "data: null", "`data` must be the path of a folder, not null"),
        ("local/parameters.yml", "trian: {}", "parameters.yml: unknown parameter 'trian'; did you"),
        ("local/mlflow.yml", "urri: x", "mlflow.yml: urri: unknown key; did you mean 'uri'?"),
        ("local/mlflow.yml", "experiment: ''", "experiment: must have at least 1 character(s)"),
        ("logging.yml", "version: 3", "logging.yml: Unsupported version: 3"),
        ("logging.yml", "version: 1\nhandlers: [a]", "logging.yml: "),
        ("logging.yml", "version: 1\nhandlers: {a: {class: logging.No}}", "logging.yml: "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_in_one_line_before_anything_is_locked(
    folder: Path, name: str, text: str, message: str
) -> None:
    conf = folder.parent / "conf"
    conf.unlink()
    shutil.copytree(PROJECT / "conf", conf, ignore=shutil.ignore_patterns("local"))
    (conf / name).parent.mkdir(exist_ok=True)
    (conf / name).write_text(text)

    ended = run()

    told = ended.output.partition("Error: ")[2]
    assert (ended.exit_code, message in told, told.count("\n")) == (1, True, 1), ended.output
    assert not (folder.parent / "data").exists()


def test_a_dataset_of_almost_the_name_of_another_is_told(folder: Path) -> None:
    conf = folder.parent / "conf"
    conf.unlink()
    shutil.copytree(PROJECT / "conf", conf)
    (conf / "local").mkdir(exist_ok=True)
    (conf / "local/catalog.yml").write_text("recordngs: {type: text.TextDataset, filepath: x}")

    ended = run("--pipelines", "report", "--params", "mlflow=false")

    assert "'recordngs' of the catalog; did you mean 'recordings'?" in " ".join(
        ended.output.split()
    )


def test_several_faults_are_told_in_a_line_each(folder: Path) -> None:
    ended = run("--env=recording", "--pipelines=apply", "--params=recording=x,checkpoint=../y")

    first, *faults = ended.output.partition("Error: ")[2].splitlines()
    assert first == "2 faults were found before the run began:"
    assert [each.split(" does not exist")[0] for each in faults] == [
        f"  {folder.parent / 'y'}",
        f"  {folder / 'x'}",
    ]


def test_deprecated_options_are_answered_with_the_new_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}

    def keep(_session: object, **options: object) -> dict[str, object]:
        given.update(options)
        return {}

    monkeypatch.setattr(KedroSession, "run", keep)
    ended = run("-p", "report", "--async")

    log = (folder.parent / "etram.log").read_text()
    assert ended.exit_code == 0
    assert given["pipeline_names"] == ["report"]
    assert "deprecated: use `--pipelines report`" in log
    assert "deprecated: use `--runner-params=is_async=True`" in log


def test_params_may_be_given_several_times_or_in_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def keep(session: KedroSession, **_options: object) -> dict[str, object]:
        given.append(session.store["runtime_params"])
        return {}

    monkeypatch.setattr(KedroSession, "run", keep)
    (folder / "run.yml").write_text("run: {params: {run_name: 001}}")
    run("--params", "run_name=001", "--params", "mlflow=false")
    run("--config", "run.yml")
    (folder / "run.yml").write_text("run: {parms: {}}")

    assert given == [{"run_name": "001", "mlflow": False}, {"run_name": "001"}]
    assert "unknown option 'parms'; did you mean 'params'?" in run("--config", "run.yml").output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train:\n\tlanes: 2\n", "indent with spaces, not with a tab"),
        ("train: {}\ntrain: {}\n", "parameters.yml, line 2: found duplicate key train"),
        ("train: {lanes: 2\n", "parameters.yml, line 2: "),
        ("train: *lanes\n", "parameters.yml, line 1: found undefined alias"),
        ("- train\n", "parameters.yml holds a list, not a mapping"),
        ("train: '${'\n", "parameters.yml: train: `${` begins a reference to another value"),
        ("train\n", "train: must be a mapping of keys to values, not null"),
        ("train: \xff\n", "parameters.yml is no YAML in UTF-8"),
        ("train: {lanes: '${globals:lanes}'}\n", "Globals key 'lanes' not found"),
    ],
)
def test_a_broken_file_of_the_configuration_is_named_with_its_line(
    folder: Path, text: str, message: str
) -> None:
    conf = folder.parent / "mine"
    for env in ("base", "local"):
        (conf / env).mkdir(parents=True)
    for file in (PROJECT / "conf" / "base").iterdir():
        (conf / "base" / file.name).symlink_to(file)
    (conf / "local" / "parameters.yml").write_bytes(text.encode("latin1"))

    ended = run("--conf-source", str(conf), "--params", "mlflow=false")

    assert (ended.exit_code, ended.output.count("\n")) == (1, 1)
    assert message in ended.output


def test_outside_a_project_the_missing_configuration_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert run().output == (
        f"Error: the folder {project / 'conf'} with the configuration does not exist: run inside "
        "the project, or name it by `--conf-source`\n"
    )
