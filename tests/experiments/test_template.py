from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.conftest import PROJECT
from tests.experiments.conftest import Write

from etram_pipeline import experiments
from etram_pipeline.experiments.commands import experiments as group
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.project import Project
from etram_pipeline.yaml_files import ConfigurationError, read_yaml

READY = Project(PROJECT).names()


def test_a_new_file_is_complete_but_for_its_hypothesis(own: Project) -> None:
    path = experiments.new("one", project=own)
    assert path == own.file("one")
    assert set(read_yaml(path)) == set(Experiment.model_fields)
    with pytest.raises(ConfigurationError, match="hypothesis: is still to be written"):
        own.experiment("one")
    path.write_text(path.read_text().replace("…", "It helps."))
    assert own.experiment("one") == Experiment(hypothesis="It helps.")


def test_every_key_has_a_comment(own: Project) -> None:
    lines = experiments.new("one", project=own).read_text().splitlines()
    for key in Experiment.model_fields:
        (place,) = (i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
        assert lines[place - 1].startswith("# "), key


def test_a_new_experiment_is_compared_with_the_one_it_starts_from(
    own: Project, write: Write
) -> None:
    write("old", "env: etram\nparams: {train.lanes: 3}\nseeds: [4]\npublished: AP 1\nsize: small")
    experiments.new("one", "old", "It helps.", own)
    found = own.experiment("one")
    assert found.success is not None
    assert found.success.better_than == "old"
    assert (found.env, found.seeds, found.size) == ("etram", (4,), "small")
    assert found.parameters == {"train.lanes": 3}
    assert found.published == ""  # of the other experiment


def test_a_new_experiment_can_start_from_a_preset(own: Project) -> None:
    experiments.new("one", "rvt_tiny", "It helps.", own)
    assert own.experiment("one").preset == "rvt_tiny"


def test_a_new_experiment_can_start_from_any_ready_one(own: Project, write: Write) -> None:
    for name in READY:
        write(name, Project(PROJECT).file(name).read_text())
    for name in READY:
        experiments.new(f"like_{name}", name, "It helps.", own)
        found = own.described(f"like_{name}")
        assert found.parameters == own.described(name).parameters
        assert found.success is not None


@pytest.mark.parametrize(
    ("name", "like", "message"),
    [
        ("a b", None, "cannot be the name"),
        ("../a", None, "cannot be the name"),
        ("taken", None, "exists: edit it, or choose another name"),
        ("one", "rvt_tny", "--like: unknown experiment or preset 'rvt_tny'; did you mean"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(
    own: Project, write: Write, name: str, like: str | None, message: str
) -> None:
    before = write("taken", "").read_text()
    with pytest.raises(ConfigurationError, match=message):
        experiments.new(name, like, project=own)
    assert [path.name for path in own.definitions.iterdir()] == ["taken.yml"]
    assert own.file("taken").read_text() == before


def test_the_command_says_what_comes_next(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.path)
    done = CliRunner().invoke(group, ["new", "one", "--hypothesis", "It helps: more."])
    assert done.exit_code == 0, done.output
    path, told = done.output.splitlines()
    assert Path(path) == own.file("one")
    assert told.endswith("kedro experiments launch one")
    assert own.experiment("one").hypothesis == "It helps: more."
    again = CliRunner().invoke(group, ["new", "one"])
    assert again.exit_code == 1
    assert again.output.startswith("Error: ")
