"""Folders of sequences as in DSEC, with one recording and one label file in each."""

from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from tests.published_sets import OFFSET_US, write_dsec

from etram_pipeline.datasets.sequences import SequenceLabelsDataset, SequenceRecordingsDataset
from etram_pipeline.events.recording import open_recording
from etram_pipeline.labels.table import read_labels

EVENTS, TRACKS = "events/left/events.h5", "object_detections/left/tracks.npy"
VAL = ["zurich_city_16_a"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dsec(tmp_path / "dsec", duration_s=0.5)
    return tmp_path / "dsec"


def test_sequences_of_train_that_validate_are_of_val(root: Path) -> None:
    recordings = SequenceRecordingsDataset(path=str(root), file=EVENTS, val=VAL).load()
    labels = SequenceLabelsDataset(path=str(root), file=TRACKS, val=VAL).load()

    assert list(recordings) == [
        "train/zurich_city_00_a",
        "val/zurich_city_16_a",
        "test/thun_02_a",
    ]
    assert recordings.keys() == labels.keys()
    assert labels["val/zurich_city_16_a"] == root / "train/zurich_city_16_a" / TRACKS


def test_events_and_labels_share_a_clock(root: Path) -> None:
    recordings = SequenceRecordingsDataset(path=str(root), file=EVENTS, val=VAL).load()
    labels = SequenceLabelsDataset(path=str(root), file=TRACKS, val=VAL).load()

    recording = open_recording(recordings["test/thun_02_a"], size=(480, 640))
    table = read_labels(labels["test/thun_02_a"])

    assert OFFSET_US <= recording.start_us < OFFSET_US + 10_000
    assert table["t"].tolist() == [OFFSET_US + 100_000 + 50_000 * k for k in range(8)]
    assert table["t"].dtype == np.int64
    assert {table["class_id"].item(0)} == {2}


def test_a_sequence_without_labels_is_not_labelled(root: Path) -> None:
    (root / "test/thun_02_a" / TRACKS).unlink()

    labels = SequenceLabelsDataset(path=str(root), file=TRACKS, val=VAL).load()

    assert list(labels) == ["train/zurich_city_00_a", "val/zurich_city_16_a"]


def test_a_sequence_that_is_in_two_splits_is_refused(root: Path) -> None:
    (root / "val").mkdir()
    (root / "train/zurich_city_16_a").rename(root / "val/zurich_city_16_a")
    write_dsec(root / "again", duration_s=0.1)
    (root / "again/train/zurich_city_16_a").rename(root / "train/zurich_city_16_a")

    with pytest.raises(DatasetError, match="both be recording val/zurich_city_16_a"):
        SequenceRecordingsDataset(path=str(root), file=EVENTS, val=VAL).load()


def test_a_folder_without_sequences_tells_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"<sequence>/events/left/events\.h5.*recording=…"):
        SequenceRecordingsDataset(path=str(tmp_path), file=EVENTS).load()
    with pytest.raises(DatasetError, match="is no folder"):
        SequenceLabelsDataset(path=str(tmp_path / "none"), file=TRACKS).load()
    assert SequenceLabelsDataset(path=str(tmp_path), file=TRACKS).load() == {}
