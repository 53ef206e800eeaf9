"""What jobs ask for, as configuration and command line describe it."""

import pytest

from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.slurm.resources import read_resources
from etram_pipeline.yaml_files import ConfigurationError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sizes: {nano: {memory: much}}", "resources.yml: sizes.nano.memory: "),
        ("cpu: 4", "resources.yml: cpu: unknown key; did you mean 'cpus'"),
        ("signal_s: 0", "resources.yml: signal_s: "),
        ("options: {'--qos': long}", "resources.yml: options.--qos: the key must be text like"),
        ("options: {a b: 1}", "resources.yml: options.a b: the key must be text like"),
        ("- gpu", "local/resources.yml holds a list, not a mapping"),
        ("sizes: [nano]", "resources: the files of `base` and of the environment cannot be merged"),
        ("1: 2", "local/resources.yml: the key 1 must be text: put it in quotes"),
        ("null: 2", "local/resources.yml: a key: Incompatible key type 'NoneType'"),
        (
            "sizes: {nano: {time: '3'}}",
            r"resources.yml: sizes.nano.time: 3 is 180 s, but a run is saved up to 180 s before",
        ),
        ("{signal_s: 3600, sizes: {nano: {time: '60:30'}}}", "60:30 is 3630 s"),
        ("{signal_s: 3600, sizes: {nano: {time: '0-1:00:59'}}}", "0-1:00:59 is 3659 s"),
    ],
)
def test_wrong_resources_are_refused(own: Project, text: str, message: str) -> None:
    (own.path / "conf/local").mkdir(exist_ok=True)
    (own.path / "conf/local/resources.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_resources(own, None, {})


@pytest.mark.parametrize("limit", ["0", "4", "3:01", "0:03:01", "0-1", "0-0:4"])
def test_limits_with_time_for_the_run_are_taken(own: Project, limit: str) -> None:
    assert read_resources(own, None, {"time": limit}).sizes["nano"].time == limit


def test_options_of_the_command_line_are_checked(own: Project) -> None:
    with pytest.raises(ConfigurationError, match="time: "):
        read_resources(own, None, {"time": "tomorrow"})
    found = read_resources(own, None, {"time": "1-00:00:00", "account": "mine"})
    assert (found.sizes["nano"].time, found.sizes["nano"].memory) == ("1-00:00:00", "48G")
    assert found.account == "mine"
