"""Files and functions stay small enough to be read at a sitting."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import PROJECT

FOLDERS = ("src", "tests", "benchmarks")
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
LONGEST_OF_MOST = 40
"""What 95 of 100 functions of the package do not exceed."""


def sources(folder: str) -> list[Path]:
    found = sorted((PROJECT / folder).rglob("*.py"))
    assert found
    return found


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Functions of a file and their lines, without decorators, which may be tables of cases."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            where = f"{path.relative_to(PROJECT)}:{node.lineno} {node.name}"
            yield where, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_are_short(folder: str) -> None:
    lines = {str(path): len(path.read_text().splitlines()) for path in sources(folder)}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_are_short(folder: str) -> None:
    lengths = dict(each for path in sources(folder) for each in functions(path))
    assert {where: count for where, count in lengths.items() if count > LONGEST_FUNCTION} == {}
    assert np.percentile(list(lengths.values()), 95) <= LONGEST_OF_MOST
