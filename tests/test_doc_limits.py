"""Limits and defaults that pages state are those of the code."""

import re
from typing import Any

import pytest
from tests.configured import loader, parameters
from tests.label_sets import LABEL_SETS
from tests.pages import PAGES, WORDS, plain, text_of

from etram_pipeline.builds.state import _MOST_REASONS_SHOWN
from etram_pipeline.clips.schedule import SamplingSettings
from etram_pipeline.core import etram
from etram_pipeline.mlflow_logging.run_log import _RETRY_S
from etram_pipeline.models.auxiliaries.small_objects import Config as SmallObjects
from etram_pipeline.models.refinements.small_object_attention import Config as Attention
from etram_pipeline.preflight.files import _MOST_SECONDS
from etram_pipeline.preflight.memory import _SURELY_TOO_MUCH
from etram_pipeline.preflight.space import _CLOSE, _HOPELESS

AUXILIARY, ATTENTION = SmallObjects(), Attention()
CONFIGURATION, ETRAM, VARIANTS = "docs/configuration.md", "docs/etram.md", "docs/variants.md"

SENTENCES = (
    ("docs/clusters.md", f"the terminal shows the first {WORDS[_MOST_REASONS_SHOWN]}"),
    ("docs/mlflow.md", {60.0: "tries again every minute and at its end"}[_RETRY_S]),
    (CONFIGURATION, {1.0: "Recordings are opened for one second at most"}[_MOST_SECONDS]),
    (CONFIGURATION, {2.0: "more than twice the free memory"}[_SURELY_TOO_MUCH]),
    (CONFIGURATION, {0.2: "less than a fifth of the estimated space"}[_HOPELESS]),
    (CONFIGURATION, {2.0: "| less than twice the estimate |"}[_CLOSE]),
    (ETRAM, f"in at least {WORDS[LABEL_SETS.enough_recordings]} recordings named like eTraM's"),
    (ETRAM, f"any box has a class id of {len(etram.SUPER_CLASSES)} or more"),
    (VARIANTS, f"a second head on the {WORDS[AUXILIARY.num_scales]} finest maps"),
    (VARIANTS, {2.0: "with twice the weight of the main head"}[AUXILIARY.weight]),
    (VARIANTS, f"Spatial attention (dilations {', '.join(map(str, ATTENTION.dilations))})"),
    (VARIANTS, f"act on the {WORDS[ATTENTION.num_scales]} finest maps"),
    ("docs/training.md", f"or `{SamplingSettings().kind}` (default)"),
)


@pytest.mark.parametrize(("page", "sentence"), SENTENCES)
def test_pages_state_the_limits_of_the_code(page: str, sentence: str) -> None:
    assert sentence in plain(page)


def marked_defaults() -> list[tuple[str, str, list[str]]]:
    """Tables with a parameter for their first heading: page, parameter, rows marked `(default)`."""
    table = r"^\| `(\w+\.[\w.]+)` \|.*\n\|[-|]+\n((?:\|.*\n)+)"
    return [
        (page, name, re.findall(r"^\| `(\w+)` \(default\) \|", rows, re.MULTILINE))
        for page in PAGES
        for name, rows in re.findall(table, text_of(page), re.MULTILINE)
        if name.split(".")[0] in parameters("local")
    ]


def test_the_defaults_that_tables_mark_are_those_of_the_configuration() -> None:
    found = marked_defaults()
    assert len(found) >= 4
    for page, name, marked in found:
        key, *parts = name.split(".")
        value: Any = parameters("local")[key]
        for part in parts:
            value = getattr(value, part)
        assert marked == [value], f"{page}: {name}"


def test_the_default_executor_is_marked() -> None:
    rows = [line for line in text_of("docs/clusters.md").splitlines() if "(default)" in line]
    kind = loader("local")["globals"]["executor"]["kind"]
    assert [row.split(" | ")[0] for row in rows] == [f"| `{kind}`"]


@pytest.mark.parametrize(
    ("in_readme", "in_page"),
    [
        (r"about (\d+) GB", r"about (\d+) GB"),
        (r"(\d+) KB per window", r"(\d+) KB per window"),
        (
            r"\| preprocessing \| about (.+?) on two cores",
            r"\| both, on two cores \| about (.+?) \|",
        ),
    ],
    ids=["disk", "window", "time"],
)
def test_the_readme_sizes_etram_as_its_page_does(in_readme: str, in_page: str) -> None:
    told = re.findall(in_page, plain(ETRAM))
    assert told
    assert re.findall(in_readme, plain("README.md")) == told[:1]


def test_the_disk_of_etram_is_that_of_all_its_windows() -> None:
    (num_windows,) = re.findall(r"\| windows \| ([\d ]+) \|", text_of(ETRAM))
    (gigabytes, kilobytes), *_ = re.findall(
        r"about (\d+) GB .*?\| (\d+) KB per window", plain(ETRAM)
    )
    total = int(kilobytes) * int(num_windows.replace(" ", "")) / 1e6
    assert round(total) == int(gigabytes)


def test_the_time_for_etram_is_that_of_all_its_hours() -> None:
    rows = re.findall(
        r"about (\d+) minutes of CPU time \| ([\d.]+) s per ([\d.]+) s of recording", plain(ETRAM)
    )
    assert len(rows) == len(("preprocessing", "quality report"))
    for minutes, seconds, recorded_s in rows:
        assert round(10 * 60 * float(seconds) / float(recorded_s)) == int(minutes)
