"""Wrong options of `kedro experiments launch` are refused before anything is launched."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.experiments.conftest import Write, finish, schedule

from etram_pipeline import experiments
from etram_pipeline.experiments.commands import experiments as group
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.yaml_files import ConfigurationError


def test_an_unknown_launcher_or_option_is_refused(own: Project, write: Write) -> None:
    write("one", "")
    with pytest.raises(ConfigurationError, match="--on: unknown launcher 'her'; did you mean"):
        experiments.launch(["one"], on="her", project=own)
    with pytest.raises(ConfigurationError, match="jobs"):
        experiments.launch(["one"], options={"jobs": 0}, project=own)
    for on, option, known in (("here", "mail_user", "--jobs"), ("slurm", "jobs", "--account, ")):
        word = option.replace("_", "-")
        message = f"--{word} has no effect with `--on {on}`, which takes {known}"
        with pytest.raises(ConfigurationError, match=message):
            experiments.launch(["one"], on=on, options={option: 1}, project=own)


def test_an_unknown_launcher_is_refused_even_if_nothing_is_left_to_do(
    own: Project, write: Write, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("one", "seeds: [0]")
    finish(registry, schedule(own, registry, "one", 0), 0.5, tmp_path / "logged")
    monkeypatch.chdir(own.path)
    for words in ([], ["--dry-run"]):
        done = CliRunner().invoke(group, ["launch", "one", "--on", "slrum", *words])
        assert done.exit_code == 1
        assert "--on: unknown launcher 'slrum'; did you mean 'slurm'?" in done.output
