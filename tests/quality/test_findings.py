"""Every planted defect is found, and nothing else."""

import logging
from dataclasses import replace

import pytest
from tests.defects import DEFECTS
from tests.label_sets import LABEL_SETS

from etram_pipeline.quality.checks import share_text
from etram_pipeline.quality.event_quality import EventQuality
from etram_pipeline.quality.findings import (
    MAX_CHARACTERS,
    SEVERITIES,
    find,
    log_findings,
    together,
)
from etram_pipeline.quality.rules import RULES
from etram_pipeline.quality.survey import Survey

ALSO = {
    "labels where there are no events": "train/stalled",
    "labels outside the time of the recording": "train/early",
    "labels in another unit": "val/other_clock",
}
"""Findings that follow from the defect of another kind."""


@pytest.mark.parametrize("key", DEFECTS)
def test_a_planted_defect_is_found_and_named(key: str, planted: Survey) -> None:
    own = {finding.title: finding for finding in find(planted) if finding.recording == key}
    title = DEFECTS[key][1]
    assert own[title].remedy
    assert own[title].detail
    assert {found for found in own if ALSO.get(found) != key} == {title}


def test_sound_recordings_give_no_finding(healthy: Survey) -> None:
    assert find(healthy) == []


def test_the_planted_defects_are_of_every_kind() -> None:
    titles = {rule.title for rule in RULES} | {"the recording cannot be read"}
    assert titles - set(ALSO) <= {title for _, title in DEFECTS.values()}


def test_the_worst_comes_first_and_kinds_stay_together(planted: Survey) -> None:
    groups = together(find(planted))
    severities = [SEVERITIES.index(group[0].severity) for group in groups]
    assert severities == sorted(severities)
    assert len({group[0].title for group in groups}) == len(groups)


def test_the_log_has_a_line_for_each_kind_however_many_recordings(
    planted: Survey, caplog: pytest.LogCaptureFixture
) -> None:
    hot = planted.recordings["train/hot"]
    many = Survey({f"train/hot_{i:03d}": hot for i in range(167)}, {}, planted.dataset)
    with caplog.at_level(logging.INFO):
        log_findings(find(many))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "train/hot_000: 1 pixel produces" in record.message
    assert "and 162 more" in record.message
    assert "switch them off in the camera" in record.message


def test_long_errors_are_cut(healthy: Survey) -> None:
    (finding,) = find(replace(healthy, failed={"test/a": "x" * 10_000}))
    assert len(finding.detail) < MAX_CHARACTERS + 10


def test_eight_classes_of_which_only_three_occur_are_doubted(healthy: Survey) -> None:
    (first, *_) = healthy.recordings.values()
    assert first.labels is not None
    few = first.model_copy(
        update={"labels": first.labels.model_copy(update={"boxes_of_class": {0: 3, 1: 5}})}
    )
    (finding,) = find(Survey({"train/a": few, "val/b": few}, {}, healthy.dataset, LABEL_SETS))
    assert finding.recording == ""
    assert "the only classes in all label files are pedestrian, car" in finding.detail
    assert "preset=grouped_labels" in finding.remedy


def test_recordings_without_any_label_file_are_not_remarkable(healthy: Survey) -> None:
    bare = {key: one.model_copy(update={"labels": None}) for key, one in healthy.recordings.items()}
    assert find(replace(healthy, recordings=bare)) == []


def test_one_event_more_or_less_does_not_make_polarity_a_matter_of_all(healthy: Survey) -> None:
    (first, *_) = healthy.recordings.values()
    events = EventQuality(num_events=100, num_rising=1, last_us=10)
    spoilt = first.model_copy(update={"events": events, "labels": None})
    (finding,) = find(Survey({"train/a": spoilt}, {}, healthy.dataset))
    assert finding.title == "polarity is one-sided"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 3, "1 of 3 boxes (33 %)"),
        (1, 240_000_000, "1 of 240,000,000 boxes (4.2e-07 %)"),
        (12, 3400, "12 of 3,400 boxes (0.35 %)"),
        (7, 7, "7 of 7 boxes (100 %)"),
    ],
)
def test_shares_are_readable(part: int, whole: int, text: str) -> None:
    assert share_text(part, whole, "boxes") == text
