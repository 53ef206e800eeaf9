"""What is imported from where: declared dependencies, public modules, each module alone."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from tests.conftest import PROJECT

SOURCE = PROJECT / "src"
PARTS_OF_OTHERS = {"pydantic_core": "pydantic"}
"""Modules of distributions that another one pins to a single version."""

WITHOUT_PUBLIC_NAME = {"torch._dynamo"}
"""Private by name, but what PyTorch's documentation of `torch.compile` says to use."""


@cache
def modules() -> dict[str, Path]:
    """Modules of the package and their files."""
    parts = {path: path.relative_to(SOURCE).with_suffix("").parts for path in SOURCE.rglob("*.py")}
    return {".".join(of).removesuffix(".__init__"): path for path, of in parts.items()}


def imports(node: ast.AST) -> Iterator[str]:
    """Names of what is imported, also inside functions; for types alone does not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from imports(ast.Module(child.orelse, []))
        else:
            yield from imports(child)


@cache
def foreign() -> dict[str, set[str]]:
    """What the package imports from others, by their name for it, and who does."""
    found: dict[str, set[str]] = {}
    for module, path in modules().items():
        for name in imports(ast.parse(path.read_text())):
            if name.partition(".")[0] not in {"etram_pipeline", *sys.stdlib_module_names}:
                found.setdefault(name, set()).add(module)
    return found


def distribution(requirement: str) -> str:
    """`pydantic` of `Pydantic[email]>=2`, as names are compared."""
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name[0] if name else "").lower()


def test_everything_imported_is_declared() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    of_users = [name for name in project["optional-dependencies"] if name not in {"dev", "docs"}]
    extras = [each for name in of_users for each in project["optional-dependencies"][name]]
    declared = {distribution(each) for each in [*project["dependencies"], *extras]}
    provided = packages_distributions()
    for name, users in foreign().items():
        top = name.partition(".")[0]
        by = {PARTS_OF_OTHERS.get(top, distribution(each)) for each in provided[top]}
        assert by & declared, f"{top} is imported by {sorted(users)}, but not declared"


def test_private_modules_of_others_are_not_imported() -> None:
    private = {
        name: users
        for name, users in foreign().items()
        if any(re.match(r"_[^_]", part) for part in name.split("."))
        and not name.startswith(tuple(WITHOUT_PUBLIC_NAME))
    }
    assert not private


@pytest.mark.slow
def test_every_module_can_be_the_first_to_be_imported() -> None:
    provided = {name.rpartition(".")[0] or name for name in foreign()} - {"etram_pipeline"}
    command = [
        sys.executable,
        "-m",
        "tests.import_alone",
        ",".join(sorted(provided)),
        ",".join(modules()),
    ]
    # Libraries start processes on import; coverage would report that it measures nothing there.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        command, cwd=PROJECT, env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "", done.stderr[-4000:]
    assert len(modules()) > 300
