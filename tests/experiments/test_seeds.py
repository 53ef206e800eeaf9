"""Seeds that a launch takes."""

import pytest
from click.testing import CliRunner
from tests.experiments.conftest import Write

from etram_pipeline import experiments
from etram_pipeline.experiments.commands import experiments as group
from etram_pipeline.experiments.project import Project
from etram_pipeline.yaml_files import ConfigurationError


@pytest.mark.parametrize("seeds", ["a", "0,,1", "-1", "0.5", "4294967296"])
def test_wrong_seeds_are_refused(seeds: str) -> None:
    done = CliRunner().invoke(group, ["launch", "one", "--seeds", seeds])
    assert done.exit_code == 2
    assert "--seeds" in done.output


def test_seeds_that_no_training_takes_are_refused(own: Project, write: Write) -> None:
    write("one", "")
    for seed in (-1, 2**32):
        with pytest.raises(ConfigurationError, match="seeds are from 0 to 4294967295"):
            experiments.launch(["one"], [seed], project=own)
