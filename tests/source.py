"""What the source names and says, for the tests that hold the documentation against it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import PROJECT

VALUE = "\0"
"""Stands for a value in the text of a message."""

_FOLDERS = ("src", "conf", "docs", "tests", "benchmarks", "notebooks", "runtime", ".ci")


def words_of(text: str) -> set[str]:
    """Names in a piece of code or configuration; shorter ones than three letters say nothing."""
    return {word for word in re.findall(r"\w+", text) if len(word) > 2 and not word.isdecimal()}


@cache
def files() -> frozenset[str]:
    """Every file and folder of the project, relative to it."""
    found = [path for name in _FOLDERS for path in (PROJECT / name).rglob("*")]
    found += [PROJECT / name for name in _FOLDERS]
    found += [path for path in PROJECT.iterdir() if path.is_file()]
    return frozenset(str(path.relative_to(PROJECT)) for path in found)


@cache
def texts() -> frozenset[str]:
    """Strings of the package, docstrings left out; values in them are `VALUE`."""
    return frozenset(text for tree in _trees("src") for text in _strings(tree))


@cache
def names() -> frozenset[str]:
    """Whatever code and configuration call something by."""
    found: set[str] = set()
    for tree in (*_trees("src"), *_trees("benchmarks")):
        for node in ast.walk(tree):
            for field in ("id", "attr", "arg", "name"):
                given = getattr(node, field, None)
                found |= words_of(given) if isinstance(given, str) else set()
        for text in _strings(tree):
            found |= words_of(text) if not re.search(r"\s", text) else set()
    settings = [PROJECT / "pyproject.toml", PROJECT / "mkdocs.yml"]
    settings += [PROJECT / "runtime" / name for name in ("pyproject.toml", "Dockerfile")]
    for path in [*(PROJECT / "conf").rglob("*.yml"), *settings]:
        found |= words_of(re.sub(r"#.*", "", path.read_text()))
    for name in files():
        found |= words_of(name)
    return frozenset(found)


@cache
def defined_in() -> dict[str, set[str]]:
    """Files of the package that define a class, a function or a typed constant, by its name."""
    found: dict[str, set[str]] = {}
    for path in (PROJECT / "src").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            name = getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", None)
            if name:
                found.setdefault(name, set()).add(str(path))
    return found


def says(message: str) -> bool:
    """Whether the code can say this; `…` in it stands for anything."""
    parts = [re.escape(part.strip()) for part in re.split(r"\[?…\]?", message)]
    pattern = re.compile(r"[\s\S]*?".join(parts).strip())
    return any(pattern.search(text.replace("`", "")) for text in texts())


@cache
def _trees(folder: str) -> tuple[ast.Module, ...]:
    paths = sorted((PROJECT / folder).rglob("*.py"))
    return tuple(ast.parse(path.read_text()) for path in paths)


def _strings(tree: ast.Module) -> Iterator[str]:
    docstrings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (getattr(part, "value", VALUE) for part in node.values)
            yield "".join(part if isinstance(part, str) else VALUE for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from () if node in docstrings else (node.value,)


def suffix_of(name: str) -> str:
    """The end of a file's name, from its last dot on; empty without one."""
    return Path(name).suffix


def refuses_unknown(what: str) -> bool:
    """Whether the code tells of an unknown name of this kind, and of the nearest right one."""
    for tree in _trees("src"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "unknown_name":
                first = ast.unparse(node.args[0]).strip("f'\"")
                if re.match(rf"{what}\b", first):
                    return True
    return False
