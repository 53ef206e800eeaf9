"""What is imported from where: declared dependencies, public modules, and no circles."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
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


def imports(node: ast.AST, *, inside: bool) -> Iterator[str]:
    """Names of what is imported, also inside functions or not; for types alone does not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from imports(ast.Module(child.orelse, []), inside=inside)
        elif inside or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(child, inside=inside)


@cache
def imported(*, inside: bool) -> dict[str, frozenset[str]]:
    """What each module imports."""
    trees = {name: ast.parse(path.read_text()) for name, path in modules().items()}
    return {name: frozenset(imports(tree, inside=inside)) for name, tree in trees.items()}


def foreign() -> dict[str, set[str]]:
    """What the package imports from others, by their name for it, and who does."""
    found: dict[str, set[str]] = {}
    for module, names in imported(inside=True).items():
        for name in names:
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


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {}
    for module, names in imported(inside=False).items():
        wanted = {name if name in modules() else name.rpartition(".")[0] for name in names}
        wanted |= {parent for name in wanted for parent in parents(name)} - set(parents(module))
        graph[module] = (wanted & modules().keys()) - {module}
    assert sum(map(len, graph.values())) > 1000
    TopologicalSorter(graph).prepare()


def parents(module: str) -> list[str]:
    """Packages that are imported before a module."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


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
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "", done.stderr[-4000:]
    assert len(modules()) > 300
