"""The distribution for computers without PyTorch: what it holds, and that all of it runs there."""

import ast
import fnmatch
import os
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

from tests.conftest import PROJECT
from tests.test_imports import distribution, foreign, modules

ROOT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
FILE = tomllib.loads((PROJECT / "runtime" / "pyproject.toml").read_text())
RUNTIME = FILE["project"]

NEED_AN_EXTRA = {
    *(f"etram_pipeline.drawing.{name}" for name in ("annotation", "render", "track_annotation")),
    "etram_pipeline.drawing.video",
    "etram_pipeline.events.formats.aedat4",
    "etram_pipeline.events.formats.etram_hdf5",
    *(
        f"etram_pipeline.events.formats.hdf5_{name}"
        for name in ("columns", "layout", "places", "rows")
    ),
    "etram_pipeline.events.formats.prophesee_hdf5",
    "etram_pipeline.live.video",
}
"""Modules that are imported when a file or an option needs them, and not before."""


@cache
def shipped() -> frozenset[str]:
    """Modules of the distribution, as `runtime/setup.py` chooses them."""
    (choice,) = (
        node.value
        for node in ast.parse((PROJECT / "runtime" / "setup.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WITHOUT"
    )
    without = {
        f"{room}.{name}" for room, names in ast.literal_eval(choice).items() for name in names
    }
    rooms = FILE["tool"]["setuptools"]["packages"]["find"]["include"]
    found = {
        name
        for name, path in modules().items()
        for package in [name if path.name == "__init__.py" else name.rpartition(".")[0]]
        if any(fnmatch.fnmatchcase(package, room) for room in rooms)
        and (package != "etram_pipeline" or name == package)
    }
    assert without <= found
    return frozenset(found - without)


def not_installed() -> set[str]:
    """What the project imports, and an environment with nothing but the runtime does not have."""
    declared = {distribution(each) for each in RUNTIME["dependencies"]}
    provided = packages_distributions()
    tops = {name.partition(".")[0] for name in foreign()} - {"pydantic_core"}
    others = {top for top in tops if not declared & {distribution(each) for each in provided[top]}}
    return others | (set(modules()) - shipped())


def test_requirements_are_those_of_the_project() -> None:
    extras = [each for group in ROOT["optional-dependencies"].values() for each in group]
    known = {*ROOT["dependencies"], *extras}
    optional = [each for group in RUNTIME["optional-dependencies"].values() for each in group]
    assert set(RUNTIME["dependencies"]) <= known
    assert set(optional) <= known
    heavy = {"torch", "kedro", "mlflow", "pandas", "scipy", "pyarrow", "h5py"}
    assert not heavy & {distribution(each) for each in RUNTIME["dependencies"]}


def test_every_module_of_the_runtime_is_imported_with_nothing_else_installed() -> None:
    command = [sys.executable, "-m", "tests.import_alone", "numpy,numba,pydantic,jaxtyping"]
    command += [",".join(sorted(shipped())), ",".join(sorted(not_installed()))]
    environment = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.split()) == NEED_AN_EXTRA, done.stderr[-4000:]
    assert len(shipped()) > 100
