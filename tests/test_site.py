"""The documentation site: what its builder does not check, or only prints."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import PROJECT
from tests.pages import PAGES, text_of

SETTINGS = yaml.safe_load((PROJECT / "mkdocs.yml").read_text())
IN_DOCS = [page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")]


def in_navigation(part: str | list[Any] | dict[str, Any]) -> list[str]:
    """Pages of a part of the navigation, in which lists have titles."""
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part
    return [page for each in parts for page in in_navigation(each)]


def test_the_navigation_lists_every_page_once() -> None:
    assert sorted(in_navigation(SETTINGS["nav"])) == sorted(IN_DOCS)


def test_every_page_is_found_from_the_first() -> None:
    assert [page for page in IN_DOCS if f"({page})" not in text_of("docs/index.md")] == ["index.md"]
    assert "(docs/index.md)" in text_of("README.md")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, from a copy of what it is made of."""
    pytest.importorskip("zensical", reason="pip install -e '.[docs]'")
    root = tmp_path_factory.mktemp("site")
    for name in ("docs", "src"):
        shutil.copytree(PROJECT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "mkdocs.yml", root)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=root,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert [line for line in printed.splitlines() if line.startswith("griffe:")] == []
    return root / "site"


def test_pages_fetch_nothing_from_other_hosts(site: Path) -> None:
    fetched = r"""<(?:script|img|iframe|source|video)[^>]+src=["']?(?:https?:)?//[^>]*>"""
    fetched += r"""|<link[^>]+rel=["']?(?:stylesheet|preconnect|icon)[^>]+href=["']?https?:[^>]*>"""
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(IN_DOCS)
    for page in pages:
        assert re.findall(fetched, page.read_text()) == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", style.read_text()), style


def test_every_package_has_a_page_with_its_public_objects(site: Path) -> None:
    package = PROJECT / "src" / "etram_pipeline"
    rooms = [path.parent.name for path in package.glob("*/__init__.py")]
    assert len(rooms) > 5
    for room in rooms:
        page = (site / "reference" / "etram_pipeline" / room / "index.html").read_text()
        sources = [path.read_text() for path in (package / room).rglob("*.py")]
        public = {
            name
            for text in sources
            for name in re.findall(r"^(?:class|def) ([A-Za-z]\w*)", text, re.MULTILINE)
        }
        assert [name for name in sorted(public) if f">{name}<" not in page.replace("\n", "")] == []


def test_sources_in_docstrings_are_shown_whole(site: Path) -> None:
    """A continuation line that is indented makes a box of the first line, cut short."""
    for page in (site / "reference").rglob("*.html"):
        assert '<details class="source"' not in page.read_text(), page
