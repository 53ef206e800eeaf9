"""What pages say is there: links, files, commands, settings; their code is tried elsewhere."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from kedro.framework.project import configure_project, pipelines
from kedro.io import AbstractDataset
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError
from tests import source
from tests.conftest import PROJECT
from tests.pages import (
    PAGES,
    anchors,
    blocks,
    commands,
    installed_recipes,
    prose,
    spans,
    text_of,
)

import etram_pipeline
from etram_pipeline import arguments, cli
from etram_pipeline.configuration import RUN_OPTIONS, ConfigLoader
from etram_pipeline.core.component import kinds
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.experiments.commands import experiments
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.node_selection import check_selection
from etram_pipeline.settings import CONFIG_LOADER_ARGS
from etram_pipeline.training.optimizers import OptimizerConfig

OF_OTHERS = {"gen4_class_labels.py", "data_baseline.yaml", "evaluation.py", "main.py"}
"""Files of other projects that pages speak of."""

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


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


def test_no_number_is_left_to_be_measured() -> None:
    assert [page for page in PAGES if "⟦" in text_of(page)] == []


def test_the_version_is_the_same_everywhere() -> None:
    version = etram_pipeline.__version__
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
    return {Path(block.path).parts[1] for block in written} - {"presets", "experiments"}


def load(conf: Path, env: str, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as nodes get them; an unknown key, kind or preset is an error."""
    extractor = TypeExtractor(dict(pipelines))
    types: dict[str, Any] = extractor.extract_types_from_pipelines()
    options: dict[str, Any] = CONFIG_LOADER_ARGS
    loader = ConfigLoader(str(conf), env, params, **options)
    assert loader["mlflow"]["experiment"]
    for name, entry in loader["catalog"].items():
        if not name.startswith("_"):
            AbstractDataset.from_config(name, entry)
    return {key: types[key].model_validate(value) for key, value in loader["parameters"].items()}


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_settings_are_understood(page: str, conf: Path) -> None:
    to_load = {(env, "") for env in write_files_of(page, conf.parent)}
    for command in commands(page, "kedro"):
        verb, *words = shlex.split(command)[1:]
        if verb == "experiments":
            if not words:  # the text only names the group
                continue
            name, *options = words
            found = experiments.get_command(click.Context(experiments), name)
            assert found is not None
            if options:  # else the text only names the command
                found.make_context(name, options)
            continue
        if verb != "run":
            assert [verb, *words] in (["viz", "run"], ["registry", "list"], ["ipython"])
            continue
        asked = click.Command.make_context(cli.run, "run", list(words)).params
        env = asked["env"] or "local"
        assert (conf / env).is_dir(), command
        check_selection(asked["pipelines"] or ["__default__"], {})
        given = words[words.index("--params") + 1] if "--params" in words else ""
        to_load.add((env, given))
    for env, params in sorted(to_load):
        load(conf, env, arguments.parse(params))


@pytest.mark.parametrize("page", PAGES)
def test_parameters_in_the_text_are_understood(page: str, conf: Path) -> None:
    write_files_of(page, conf.parent)
    known = "|".join([*load(conf, "local", {}), *RUN_OPTIONS])
    for span in spans(page):
        given = re.fullmatch(rf"(?:--params )?'?((?:{known})(?:\.[\w.]+)?=[^…]+?)'?", span)
        inline = re.fullmatch(rf"((?:{known})\.[\w.]+): (\S+|{{.+}})", span)
        params = arguments.parse(given[1]) if given else {}
        for part in reversed(inline[1].split(".") if inline else []):
            params = {part: params or yaml.safe_load(inline[2])}  # type: ignore[index]
        if params:
            load_for_any_family(conf, "recording" if "recording" in params else "local", params)


def load_for_any_family(conf: Path, env: str, params: dict[str, Any]) -> None:
    """Load parameters; those of a detector may be of any family.

    Raises:
        ValidationError: If no family has them.
    """
    detector = params.get("detector", {})
    if not isinstance(detector, dict) or not detector or "kind" in detector:
        load(conf, env, params)
        return
    errors = []
    for kind in kinds("etram_pipeline.models.detectors"):
        try:
            load(conf, env, params | {"detector": {"kind": kind} | detector})
        except ValidationError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


@pytest.mark.usefixtures("count_error")  # the metric that a page adds
@pytest.mark.parametrize("page", PAGES)
def test_examples_of_settings_are_understood(page: str) -> None:
    for block in blocks(page, "yaml"):
        if not block.path:
            load(PROJECT / "conf", "local", yaml.safe_load(block.code))


@pytest.mark.parametrize("page", PAGES)
def test_settings_named_in_the_text_exist(page: str) -> None:
    parameters = load(PROJECT / "conf", "local", {})
    names = [re.match(rf"(?:{'|'.join(parameters)})\.[\w.]+", span) for span in spans(page)]
    found = {name[0] for name in names if name}
    named = {name for name in found if f"/{source.suffix_of(name)[1:]}" not in FILE_SUFFIXES}
    families = list(of_families(parameters))
    assert [name for name in named if not any(map(partial(has, name), families))] == []


def of_families(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Parameters with each family of detectors and of optimizers, with its default settings."""
    detectors: list[dict[str, Any]] = [
        {"kind": kind} for kind in kinds("etram_pipeline.models.detectors")
    ]
    tasks = [kind for kind in kinds("etram_pipeline.models.auxiliaries") if kind != "several"]
    detectors += [{"kind": "rvt", "auxiliary": {"kind": kind}} for kind in tasks]
    for detector in detectors:
        yield parameters | {"detector": DetectorConfig.model_validate(detector)}
    for kind in kinds("etram_pipeline.training.optimizers"):
        optimizer = OptimizerConfig.model_validate({"kind": kind})
        train = parameters["train"].model_copy(update={"optimizer": optimizer})
        yield parameters | {"train": train}


def has(name: str, parameters: dict[str, Any]) -> bool:
    """Whether there is a parameter of a dotted name."""
    value: Any = parameters
    for part in name.split("."):
        if not (part in value if isinstance(value, dict) else hasattr(value, part)):
            return False
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return True


FILE_SUFFIXES = {"/npz", "/html", "/ckpt", "/csv", "/json", "/onnx"}


def test_programs_that_pages_call_are_there() -> None:
    for command in {each for page in PAGES for each in commands(page, "python", "pytest", "bash")}:
        program, *words = shlex.split(command)
        if words[0] == "-m" and program == "python":
            path = f"{words[1].replace('.', '/')}.py"
            words[0:2] = [f"src/{path}" if (PROJECT / "src" / path).exists() else path]
        if {words[0], Path(words[0]).name} & {"venv.py", "-c", *OF_OTHERS}:
            continue
        if program == "pytest":
            markers = [name.partition(":")[0] for name in PYTEST["markers"]]
            asked = words[words.index("-m") + 1] if "-m" in words else ""
            assert set(re.findall(r"\w+", asked)) <= {*markers, "not", "and", "or"}, command
        paths = [word for word in words if "/" in word]
        assert [path for path in paths if not (PROJECT / path).exists()] == [], command
        for option in re.findall(r"--[\w-]+", command) if program == "python" else []:
            assert f'"{option}"' in (PROJECT / words[0]).read_text(), command


PYTEST = PYPROJECT["tool"]["pytest"]["ini_options"]


def test_installations_find_what_they_install() -> None:
    """The project is on no index, so that its name alone would find nothing."""
    texts = {path: path.read_text() for path in (PROJECT / "conf").rglob("*.yml")}
    texts |= {path: path.read_text() for path in (PROJECT / "src").rglob("*.py")}
    texts |= {PROJECT / page: text_of(page) for page in PAGES}
    for path, text in texts.items():
        wheel = rf"_runtime-{etram_pipeline.__version__}-py3-none-any\.whl"
        assert not re.search(rf"pip install[^\n`]*etram.pipeline(?!{wheel})", text), path
        for extra in re.findall(r"pip install[^\n`]*\.\[(\w+)\]", text):
            assert extra in PYPROJECT["project"]["optional-dependencies"], path
            assert f"-e '.[{extra}]'" in text, path


WRONG: tuple[dict[str, Any], ...] = (
    {"trian": {"max_steps": 1}},
    {"train": {"max_step": 1}},
    {"train": {"optimizer": {"warmup": 1}}},
    {"preset": "rvt_tny"},
    {"train": {"lanes": "two"}},
)


@pytest.mark.parametrize("params", WRONG, ids=str)
def test_answers_to_wrong_parameters_are_as_shown(params: dict[str, Any]) -> None:
    with pytest.raises((click.ClickException, ValidationError)) as caught:
        load(PROJECT / "conf", "local", params)
    error, (name, *_) = caught.value, params
    answer = (
        "\n".join(describe_errors(error, name))
        if isinstance(error, ValidationError)
        else str(error)
    )
    page = text_of("docs/configuration.md")
    shown = [line.removesuffix("…") for line in page.splitlines()] + spans("docs/configuration.md")
    shown = [line for line in shown if len(line) > 20 and line in answer]
    assert shown, answer
