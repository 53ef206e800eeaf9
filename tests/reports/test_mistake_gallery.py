"""Mistakes and suspected label errors on the page."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.reports.html import Reader
from tests.reports.traffic.browser import needs_browser, use

from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.mistakes import MistakeClip, encode_strips
from etram_pipeline.reports.page import ReportContent, write_page

EVIL = "test/<script>alert('x')</script>  _day"


@pytest.fixture
def content(make_metrics: Callable[..., Metrics]) -> ReportContent:
    """A page with mistakes of every kind, and a suspected label error."""
    (strip,) = encode_strips([np.zeros((9, 84, 3), np.uint8)])
    kinds = ("class", "location", "both", "duplicate", "background", "missed")
    clips = [
        MistakeClip(
            kind=kind,
            recording="test/test_night_0002" if place % 2 else EVIL,
            time_us=1_250_000,
            class_name="car" if place < 4 else "tram",
            label_class="tram",
            score=None if kind == "missed" else 0.75,
            cost=0.00123,
            light="night" if place % 2 else "day",
            strip=strip,
        )
        for place, kind in enumerate(kinds)
    ]
    suspect = {
        "rank": 1,
        "kind": "ghost_label",
        "recording": EVIL,
        "start_s": 1.0,
        "stop_s": 2.0,
        "suspicion": 0.7,
        "reason": "labelled car, not found",
    }
    return ReportContent(
        metrics={"mine": make_metrics()}, headline="mine", mistakes=clips, suspects=[suspect]
    )


def test_each_mistake_is_told_with_its_kind_place_and_cost(content: ReportContent) -> None:
    html = write_page(content)
    for title in (
        "car 0.75, labelled tram",
        "car 0.75 beside its label",
        "car 0.75 beside a tram",
        "car 0.75, found already",
        "tram 0.75, not labelled",
        "tram, not found",
    ):
        assert title in html
    assert "test_night_0002 at 1.25 s<br>costs 0.00123 AP" in html
    assert html.count('href="#mistakes"') == html.count('href="#suspects"') == 1


def test_the_gallery_is_well_formed_and_needs_nothing_from_elsewhere(
    content: ReportContent,
) -> None:
    html = write_page(content)
    reader = Reader(html)
    assert all(re.match(r"(data:|#)", address) for address in reader.addresses)
    assert reader.images_without_text == 0
    assert reader.tags.count("script") == 1
    assert "<script>alert" not in html


def test_suspected_label_errors_are_a_table(content: ReportContent) -> None:
    html = write_page(content)
    section = html[html.index('<section id="suspects">') : html.index('<section id="protocols">')]
    for text in ("0.700", "ghost label", "labelled car, not found", "label_suspects.csv"):
        assert text in section


def test_a_page_without_mistakes_has_no_gallery(content: ReportContent) -> None:
    html = write_page(replace(content, mistakes=(), suspects=()))
    assert "script" not in Reader(html).tags
    assert not re.search("mistake-clips|suspects|clip", html)


def test_missing_pictures_are_said(content: ReportContent) -> None:
    clips = [replace(clip, strip=None) for clip in content.mistakes]
    html = write_page(replace(content, mistakes=clips))
    assert "6 mistakes have no picture" in html
    assert "histograms of the recording are missing" in html
    assert "would be too large (lower <code>report.mistakes_per_kind</code>)" in html
    assert '<div class="strip"' not in html
    assert "no picture" not in write_page(content)


def test_without_scripts_all_mistakes_are_shown_and_no_filter(content: ReportContent) -> None:
    html = write_page(content)
    assert '<form id="mistake-filters" class="filters" hidden>' in html
    assert not re.search(r"<figure[^>]*\bhidden\b", html)


@needs_browser
def test_mistakes_are_filtered_and_played(content: ReportContent, tmp_path: Path) -> None:
    found = use(
        write_page(content),
        """
        const form = document.getElementById("mistake-filters");
        const clips = [...document.querySelectorAll(".clip")];
        const shown = () => clips.filter((each) => each.offsetHeight);
        const says = () => form.querySelector("output").textContent;
        const choose = (name, value) => {
          const select = form.querySelector(`select[name=${name}]`);
          select.value = value;
          select.dispatchEvent(new Event("change", {bubbles: true}));
          return [shown().length, says()];
        };
        const first = document.querySelector(".strip"), image = first.querySelector("img");
        const still = image.getBoundingClientRect().left - first.getBoundingClientRect().left;
        first.focus();
        return {
          selects: [...form.querySelectorAll("select")].map((each) => each.name),
          all: [shown().length, says()],
          night: choose("light", "night"),
          trams: choose("class", "tram"),
          spaces: (choose("class", ""), choose("light", ""),
                   choose("recording", clips[0].dataset.recording)),
          named: (choose("recording", ""), choose("light", "night"), choose("class", "tram")),
          kind: choose("kind", "class"),
          back: (choose("kind", ""), choose("class", ""), choose("light", "")),
          middle: still / first.getBoundingClientRect().width,
          playing: image.getAnimations().length,
          wide: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
        };
        """,
        tmp_path,
        width=500,
    )
    assert found["selects"] == ["kind", "class", "recording", "light"]
    assert found["all"] == found["back"] == [6, "6 mistakes"]
    assert found["night"] == [3, "3 of 6 mistakes"]
    assert found["trams"] == found["named"] == [1, "1 of 6 mistakes"]
    assert found["spaces"] == [3, "3 of 6 mistakes"]
    assert found["kind"] == [0, "0 of 6 mistakes"]
    assert found["middle"] == pytest.approx(-3, abs=0.01)
    assert found["playing"] == 1
    assert found["wide"]
