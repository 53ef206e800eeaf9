"""A project with experiments of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import PROJECT

from etram_pipeline.experiments.project import Project

Write = Callable[[str, str], Path]


@pytest.fixture
def own(project: Path) -> Project:
    """A project with the real configuration, but without experiments."""
    ignored = shutil.ignore_patterns("experiments")
    shutil.copytree(PROJECT / "conf", project / "conf", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", project)
    (project / "src").mkdir()  # as Kedro wants it
    (project / "conf" / "experiments").mkdir()
    return Project(project)


@pytest.fixture
def write(own: Project) -> Write:
    """Writes the file of an experiment; its first line is the hypothesis unless it has one."""

    def written(name: str, text: str) -> Path:
        path = own.file(name)
        has_one = "hypothesis:" in text
        path.write_text(text if has_one else f"hypothesis: it helps\n{text}")
        return path

    return written
