"""The quality page."""

import re
from dataclasses import replace

import pytest
from tests.reports.html import Reader

from etram_pipeline.quality.findings import find
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.quality.survey import Survey
from etram_pipeline.reports import quality_page as page
from etram_pipeline.reports.quality_page import big_text, duration_text, write_quality_page

EVIL = "test/<script>alert('x')</script>"


def write(survey: Survey) -> str:
    return write_quality_page(survey, find(survey), QualitySettings())


def test_the_page_is_whole_and_needs_no_other_file(planted: Survey) -> None:
    reader = Reader(write(planted))
    assert all(address.startswith(("#", "data:")) for address in reader.addresses)
    assert "script" not in reader.tags


def test_every_finding_is_named_with_its_recording_and_remedy(planted: Survey) -> None:
    html = re.sub(r"</?code>", "`", write(planted))
    for finding in find(planted):
        assert finding.title.capitalize() in html
        assert f">{finding.recording}</a>" in html
    assert "What to do:</strong> switch them off in the camera" in html
    assert "`dataset.height`" in html


def test_links_of_findings_lead_to_the_rows_of_recordings(planted: Survey) -> None:
    html = write(planted)
    ids = set(re.findall(r'id="([^"]*)"', html))
    links = set(re.findall(r'href="#([^"]*)"', html))
    assert links <= ids


def test_a_recording_that_cannot_be_read_has_a_row_with_the_reason(planted: Survey) -> None:
    html = write(planted)
    assert re.search(r'id="train/cut".*?class="failed">[^<]*cut_td\.h5', html, re.DOTALL)


def test_sound_data_are_said_to_be_sound(healthy: Survey) -> None:
    html = write(healthy)
    assert "nothing to report" in html
    assert 'id="findings"' not in html
    assert "2 recordings, 8.00 s" in html


def test_names_and_errors_from_outside_are_shown_as_text(healthy: Survey) -> None:
    (first, *_) = healthy.recordings.values()
    html = write(replace(healthy, recordings={EVIL: first}, failed={"val/<b>": "`<i>"}))
    Reader(html)
    assert "<script" not in html
    assert "<i>`" not in html


def test_many_recordings_are_shown_in_bounded_space(
    planted: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_ROWS", 50)
    many = {f"train/sound_{i:04d}": planted.recordings["train/sound_0"] for i in range(60)}
    many |= {f"val/hot_{i:04d}": planted.recordings["train/hot"] for i in range(20)}
    html = write(Survey(many, {}, planted.dataset))
    assert len(set(re.findall(r'<tr id="([^"]*)"', html))) == 50
    assert html.count('<tr id="val/hot') == 20  # those with findings come first
    assert "30 more recordings" in html
    assert ">16 more</summary>" in html


def test_a_page_of_167_recordings_stays_small(planted: Survey) -> None:
    many = {f"train/hot_{i:04d}": planted.recordings["train/hot"] for i in range(167)}
    assert len(write(Survey(many, {}, planted.dataset))) < 1_000_000


def test_without_labels_there_are_no_columns_for_them(healthy: Survey) -> None:
    bare = {key: one.model_copy(update={"labels": None}) for key, one in healthy.recordings.items()}
    html = write(replace(healthy, recordings=bare))
    assert "boxes<br>at fault" not in html
    assert 'id="classes"' not in html


def test_classes_without_a_name_have_a_row(planted: Survey) -> None:
    assert "id 11, no name" in write(planted)


def test_no_recordings_at_all_make_a_page() -> None:
    from tests.quality.conftest import DATASET

    assert "<h1>No recordings, " in write(Survey({}, {}, DATASET))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (123_456, "123 k"),
        (240e6, "240 M"),
        (6e9, "6.00 G"),
    ],
)
def test_counts_are_short(number: int | float, text: str) -> None:
    assert big_text(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (9.5, "9.50 s"),
        (59, "59.0 s"),
        (59.97, "1 min 00 s"),
        (119.7, "2 min 00 s"),
        (216, "3 min 36 s"),
        (36_000, "10 h 00 min"),
    ],
)
def test_lengths_are_short(seconds: int | float, text: str) -> None:
    assert duration_text(round(1e6 * seconds)) == text
