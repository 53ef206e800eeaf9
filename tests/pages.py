"""The pages of the documentation, taken apart for the tests that try what they say."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from tests.conftest import PROJECT

PAGES = [
    *(f"{name}.md" for name in ("README", "CHANGELOG")),
    *sorted(f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md")),
]
RECIPES = "docs/contributing.md"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
"""Small numbers, as pages write them."""


@dataclass(frozen=True)
class Block:
    """A block of code, and the file it is said to be, if any."""

    language: str
    path: str
    code: str


@cache
def text_of(page: str) -> str:
    """The source of a page."""
    return (PROJECT / page).read_text()


def plain(page: str) -> str:
    """The source of a page as one line, wherever it is wrapped."""
    return " ".join(text_of(page).split())


def blocks(page: str, language: str) -> list[Block]:
    """Blocks of one language, in their order."""
    pattern = r"(?:^`([\w/.-]+)`:\n\n)?^```(\w*)\n(.*?)^```$"
    found = re.findall(pattern, text_of(page), re.MULTILINE | re.DOTALL)
    return [Block(kind, path, code) for path, kind, code in found if kind == language]


def prose(page: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def spans(page: str) -> list[str]:
    """Code in the text of a page, in its order."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def commands(page: str, *programs: str) -> list[str]:
    """Every command of a page, in blocks and in the text, but for those left open by `…`."""
    in_blocks = [
        command.strip()
        for block in blocks(page, "bash")
        for line in block.code.splitlines()
        for command in re.sub(r"\s#.*", "", line).split("&&")
    ]
    found = {each for each in [*in_blocks, *spans(page)] if each.split(" ")[0] in programs}
    return sorted(command for command in found if " " in command and "…" not in command)


def anchors(page: str) -> set[str]:
    """What links to sections of a page may end in."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


def column(page: str, first: str) -> list[str]:
    """Code in the first column of the tables whose first heading is `first`."""
    tables = re.findall(
        rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text_of(page), re.MULTILINE
    )
    cells = [row.split(" | ")[0] for table in tables for row in table.splitlines()]
    return [span for cell in cells for span in re.findall(r"`([^`]+)`", cell)]


def first_column(section: str) -> list[str]:
    """Names in the first column of the tables of a section."""
    text = text_of("docs/data-formats.md").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@contextmanager
def installed_recipes(root: Path) -> Iterator[None]:
    """The files of all recipes under `root`, the parts among them found in their packages."""
    modules = []
    with pytest.MonkeyPatch.context() as patch:
        for block in filter(lambda block: block.path, blocks(RECIPES, "python")):
            file = root / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code)
            if block.path.startswith("src/"):
                modules.append(".".join(Path(block.path).with_suffix("").parts[1:]))
                package = import_module(modules[-1].rpartition(".")[0])
                patch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
        yield
    for module in modules:
        sys.modules.pop(module, None)
