"""The quality report as a table and as numbers."""

from tests.defects import DEFECTS

from etram_pipeline.quality.findings import find
from etram_pipeline.quality.survey import Survey
from etram_pipeline.quality.table import quality_numbers, quality_rows


def test_every_recording_has_a_row_with_the_same_columns(planted: Survey) -> None:
    rows = quality_rows(planted, find(planted))
    keys = {f"{row['split']}/{row['recording']}" for row in rows}
    assert keys == {*DEFECTS, "train/sound_0", "train/sound_1"}
    assert len({tuple(row) for row in rows}) == 1


def test_a_row_tells_what_was_found(planted: Survey) -> None:
    rows = {row["recording"]: row for row in quality_rows(planted, find(planted))}
    assert rows["outside"]["outside_sensor"] == 3000
    assert rows["stalled"]["gaps"] == 1
    assert rows["hot"]["hot_pixels"] == 1
    assert rows["twice"]["boxes_duplicate"] == rows["twice"]["boxes_overlapping"] == 7
    assert rows["sound_0"]["boxes_of_car"] == 119
    assert rows["sound_0"]["boxes_of_tram"] == 0
    assert (rows["flat"]["problems"], rows["flat"]["warnings"]) == (1, 0)


def test_what_could_not_be_read_has_its_error_and_no_numbers(planted: Survey) -> None:
    rows = {row["recording"]: row for row in quality_rows(planted, find(planted))}
    assert rows["cut"]["events"] is None
    assert "cut_td.h5" in str(rows["cut"]["error"])
    assert rows["cut_labels"]["events"] == 60_000
    assert rows["cut_labels"]["boxes"] is None
    assert "cut_labels_bbox.npy" in str(rows["cut_labels"]["error"])


def test_numbers_sum_up_each_split_and_count_the_findings(planted: Survey) -> None:
    findings = find(planted)
    rows = quality_rows(planted, findings)
    numbers = quality_numbers(rows, findings)
    assert numbers["quality/problems"] == sum(one.severity == "problem" for one in findings)
    assert numbers["quality/train/recordings"] == 15
    assert numbers["quality/train/failed"] == 1
    assert numbers["quality/train/outside_sensor"] == 3060
    assert numbers["quality/test/boxes"] == 0
    assert {name.split("/")[1] for name in numbers} >= {"train", "val", "test"}


def test_splits_without_recordings_have_no_numbers(healthy: Survey) -> None:
    numbers = quality_numbers(quality_rows(healthy, []), [])
    assert not any("/val/" in name for name in numbers)
