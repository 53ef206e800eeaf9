"""Pages use one word for one thing, and the words of the field."""

import re

import pytest
from tests.pages import PAGES, prose

WORDS = {
    r"(?<!labelled )(?<!video )(?<!no )\bframes?\b": "labelled frame, window or representation",
    r"\b(?:runs?|experiments?) (?:is|are) tracked\b|\btracked (?:run|experiment|in MLflow)"
    r"|\btracking (?:run|server)\b": "logged in MLflow",
    r"\b(?:a|each|per|another|one|every) training\b(?! [a-z])|\btrainings\b": "training run",
    r"\breading process(?:es)?\b": "worker process",
    r"\bstretch(?:es)?\b": "part of a recording",
    r"\bquality page\b": "quality report",
    r"\b(?:is|are) told\b|\b(?:knows?|tells?) of\b": "states, reports",
    r"\bmend(?:s|ed)?\b": "repair, correct",
    r"\banew\b": "again",
    r"\bof which there\b|\bcomes? to know\b|\bwhat it came to\b": "a plain sentence",
}
"""Patterns that pages avoid, and what they write instead."""


def text_alone(page: str) -> str:
    """The prose of a page as one line, without code and without the targets of links."""
    text = re.sub(r"`[^`]*`", "`", prose(page))
    return " ".join(re.sub(r"\]\([^)]*\)", "]", text).split())


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_pages_use_the_words_of_the_project(page: str) -> None:
    text = text_alone(page)
    found = [
        f"write {better!r}, not: {text[max(match.start() - 30, 0) : match.end() + 30]}"
        for pattern, better in WORDS.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert found == []
