"""Files that pages name: those of the repository, and those that a run leaves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import source
from tests.conftest import PROJECT
from tests.pages import PAGES, blocks, spans, text_of

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.settings import CONFIG_LOADER_ARGS
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS


@pytest.mark.parametrize("page", PAGES)
def test_files_and_folders_that_pages_name_exist(page: str) -> None:
    """Those that a run leaves are looked for elsewhere; patterns stand for several files."""
    written = {
        block.path for each in PAGES for block in (*blocks(each, "python"), *blocks(each, "yaml"))
    }
    written |= {str(folder) for path in written for folder in Path(path).parents}
    top = r"(?:src|conf|docs|tests|benchmarks|notebooks|\.ci)(?:/[\w./-]*)?"
    named = [
        span for span in spans(page) if re.fullmatch(rf"{top}|[\w./-]+\.(?:py|ya?ml|ipynb)", span)
    ]
    for block in blocks(page, "bash"):
        named += re.findall(r"(?<=\s)(?:tests|benchmarks|conf)/[\w./-]+", block.code)
    others = {
        "gen4_class_labels.py",
        "data_baseline.yaml",
        "evaluation.py",
        "data.yaml",
        "site.yml",
    }
    for name in {name.rstrip("/") for name in named} - others:
        assert name in written or any(
            path == name or path.endswith(f"/{name}") for path in source.files()
        ), name


def test_pages_that_code_and_configuration_name_exist() -> None:
    """A page that is renamed or merged is still named in comments, docstrings and messages."""
    named = {
        (page, str(path.relative_to(PROJECT)))
        for folder in ("src", "conf", "tests", "benchmarks", "notebooks", ".ci", ".github")
        for path in (PROJECT / folder).rglob("*")
        if path.suffix in {".py", ".yml", ".ipynb"} or path.parent.name == ".ci"
        for page in re.findall(r"docs/[\w-]+\.md", path.read_text())
    }
    assert named
    assert [each for each in sorted(named) if each[0] not in PAGES] == []


def catalogs() -> Iterator[tuple[str, str, bool]]:
    """Name and place of each dataset below the folder of data, and whether that is a folder."""
    options: dict[str, Any] = CONFIG_LOADER_ARGS
    for env, root, params in (
        ("local", "data/", {}),
        ("etram", "data/etram/", {}),
        ("gen1", "data/gen1/", {}),
        ("gen4", "data/gen4/", {}),
        ("dsec", "data/dsec/", {}),
        ("recording", "data/recording/", {"recording": "street.raw"}),
    ):
        loader = ConfigLoader(str(PROJECT / "conf"), env, params, **options)
        for name, entry in loader["catalog"].items():
            if place := entry.get("filepath") or entry.get("path"):
                place = re.sub(r"-[0-9a-f]{6}(?=[/_])", "-3f9a1c", f"{place}/").rstrip("/")
                below = place.removeprefix(root).removeprefix("data/")
                yield name, below.replace("/{name}.png", ""), "path" in entry


def test_files_that_pages_say_a_run_leaves_are_those_of_the_catalog() -> None:
    places = {place: is_folder for _, place, is_folder in catalogs()}
    for page in PAGES:
        for block in blocks(page, "yaml"):
            places |= dict.fromkeys(re.findall(r"path: data/(\S+)", block.code), True)
    places["09_experiments"] = True  # of no dataset: `kedro experiments` writes it
    known = {str(parent) for place in places for parent in (Path(place), *Path(place).parents)}
    folders = tuple(f"{place}/" for place, is_folder in places.items() if is_folder)
    for page in PAGES:
        text = re.sub(r"\w+-[0-9a-f]{6}(?=[/_])", "street-3f9a1c", page_with_whole_paths(page))
        for path in re.findall(r"(?<![\w/])(?:data/(?:\w+/)?)?(0\d_\w+(?:/[\w.<>-]*)*)", text):
            name = path.rstrip("/.")
            assert name in known or name.startswith(folders), f"{page}: {name}"


def page_with_whole_paths(page: str) -> str:
    """A page in which the second file of a cell also has its folder: `a/b.html`, `c.csv`."""
    cells = r"`((?:0\d_\w+/)+)([\w.-]+)`, `([\w.-]+)`"
    return re.sub(cells, r"`\1\2`, `\1\3`", text_of(page))


def test_the_table_of_files_lists_all_that_a_run_leaves() -> None:
    table = page_with_whole_paths("docs/getting-started.md")
    elsewhere = text_of("docs/export.md")
    for name, place, _ in catalogs():
        if not name.startswith("_") and "street" not in place and not place.startswith("01_raw"):
            pages = elsewhere if name == "exported_dataset" else table
            assert place in pages, (name, place)


OF_USERS = re.compile(
    r"(train|val|test|street|site(?=\.csv)|rvt-[bt]|for_rvt|named|a,b|window|test_day_0001|recording"
    r"|instances_(<split>|train))\."
)
"""Files that a user names, and those whose names are put together from the split."""


def test_other_files_that_a_run_leaves_are_named_as_the_code_names_them() -> None:
    suffixes = "csv|json|html|mp4|ckpt|log|db|txt|npy|npz|h5|parquet|png"
    known = [path.read_text() for path in (PROJECT / "conf").rglob("*.yml")]
    known += [f"{product}.index.json" for product in (LABELS, REPRESENTATIONS)]
    known += source.texts()
    for page in PAGES:
        text = " ".join([*spans(page), *(block.code for block in blocks(page, ""))])
        for path in set(re.findall(rf"[\w.<>/,-]+\.(?:{suffixes})\b", text)):
            file = path.rsplit("/", 1)[-1]
            name = re.sub(r"<\w+>|(train|val|test)_(day|night)_\d{4}", "", file)
            is_pattern = not name.rpartition(".")[0].strip("_.")
            if is_pattern or OF_USERS.match(file) or re.match(r"0\d_", path):
                continue
            name = name.removesuffix(".png")  # figures are saved by their names
            assert any(name in each for each in known), f"{page}: {path}"
