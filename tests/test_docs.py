"""What pages say is there: links, files, commands, settings; their code is tried elsewhere."""

import argparse
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.framework.cli.utils import _split_params
from kedro.framework.project import configure_project, pipelines
from kedro.io import AbstractDataset
from kedro.validation.type_extractor import TypeExtractor
from tests.conftest import PROJECT
from tests.pages import PAGES, anchors, blocks, commands, installed_recipes, prose, text_of

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.settings import CONFIG_LOADER_ARGS

OF_OTHERS = {"gen4_class_labels.py", "data_baseline.yaml", "evaluation.py"}
"""Files of other projects that pages speak of."""


@pytest.fixture(scope="module", autouse=True)
def _recipes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed_recipes(tmp_path_factory.mktemp("recipes")):
        configure_project("etram_pipeline")
        yield


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        path = (PROJECT / page).parent / name if name else PROJECT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(str(path.resolve().relative_to(PROJECT))), target


def test_every_page_is_found_from_the_readme() -> None:
    assert [page for page in PAGES[1:] if f"({page})" not in text_of("README.md")] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_pages_name_exist(page: str) -> None:
    folders = ("src", "conf", "docs", "tests", "benchmarks")
    known = [str(path) for folder in folders for path in (PROJECT / folder).rglob("*.*")]
    for name in set(re.findall(r"`([\w./-]+\.(?:py|ya?ml))`", prose(page))) - OF_OTHERS:
        is_written_there = any(f"`{name}`:" in text_of(page) for page in PAGES)
        assert is_written_there or any(path.endswith(f"/{name}") for path in known), name


def test_no_number_is_left_to_be_measured() -> None:
    assert [page for page in PAGES if "⟦" in text_of(page)] == []


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["version"] == version
    assert citation["license"] == "Apache-2.0"
    assert version in text_of("CHANGELOG.md")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the configuration."""
    return Path(shutil.copytree(PROJECT / "conf", tmp_path / "conf"))


def write_files_of(page: str, project: Path) -> set[str]:
    """Write the configuration that a page shows, and tell the environments that it concerns."""
    written = [block for block in blocks(page, "yaml") if block.path]
    for block in written:
        file = project / block.path
        file.parent.mkdir(exist_ok=True)
        before = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump(before | yaml.safe_load(block.code)))
    return {Path(block.path).parts[1] for block in written} - {"presets"}


def load(conf: Path, env: str, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as nodes get them; an unknown key, kind or preset is an error."""
    extractor = TypeExtractor(dict(pipelines))
    types: dict[str, Any] = extractor.extract_types_from_pipelines()
    arguments: dict[str, Any] = CONFIG_LOADER_ARGS
    loader = ConfigLoader(str(conf), env, params, **arguments)
    assert loader["tracking"]["experiment"]
    for name, entry in loader["catalog"].items():
        if not name.startswith("_"):
            AbstractDataset.from_config(name, entry)
    return {key: types[key].model_validate(value) for key, value in loader["parameters"].items()}


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_settings_are_understood(page: str, conf: Path) -> None:
    options = argparse.ArgumentParser(exit_on_error=False)
    for option in ("--env", "--pipelines", "--params"):
        options.add_argument(option, default="")
    to_load = {(env, "") for env in write_files_of(page, conf.parent)}
    for command in commands(page):
        verb, *arguments = shlex.split(command)[1:]
        if verb != "run":
            assert [verb, *arguments] in (["viz", "run"], ["registry", "list"], ["ipython"])
            continue
        asked = options.parse_args(arguments)
        env = asked.env or "local"
        assert (conf / env).is_dir(), command
        assert set(filter(None, asked.pipelines.split(","))) <= set(pipelines), command
        to_load.add((env, asked.params))
    parse: Any = _split_params  # what `kedro run` makes of `--params`
    for env, params in to_load:
        load(conf, env, parse(None, None, params) if params else {})


@pytest.mark.parametrize("page", PAGES)
def test_settings_named_in_the_text_exist(page: str) -> None:
    parameters = load(PROJECT / "conf", "local", {})
    names = re.findall(rf"`((?:{'|'.join(parameters)})\.[\w.]+)(?:=[^`]*)?`", prose(page))
    for name in {name for name in names if not name.endswith((".npz", ".html", ".ckpt", ".csv"))}:
        value: Any = parameters
        for part in name.split("."):
            value = value[part] if isinstance(value, dict) else getattr(value, part)
