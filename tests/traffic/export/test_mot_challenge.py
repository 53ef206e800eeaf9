"""Tracks as text of MOTChallenge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.traffic.export.conftest import in_order, moving

from etram_pipeline.tracks.table import empty_tracks
from etram_pipeline.traffic.export import mot_challenge
from etram_pipeline.traffic.export.recording import ExportedRecording


def test_rows_are_frame_id_box_score_and_class(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    mot_challenge.write(tmp_path / "a.mot.txt", recording)
    rows = (tmp_path / "a.mot.txt").read_text().splitlines()
    assert rows[:4] == [
        "1,1,100.00,50.00,20.00,10.00,0.8750,2,-1",
        "2,1,110.00,50.00,20.00,10.00,0.8750,2,-1",
        "3,1,120.00,50.00,20.00,10.00,0.8750,2,-1",
        "3,2,100.00,100.00,20.00,10.00,0.8750,8,-1",
    ]
    assert len(rows) == len(recording.tracks)


def test_nothing_tracked_is_an_empty_file(recording: ExportedRecording, tmp_path: Path) -> None:
    mot_challenge.write(tmp_path / "a.mot.txt", replace(recording, tracks=empty_tracks()))
    assert (tmp_path / "a.mot.txt").read_bytes() == b""


def test_parts_join_without_seam(
    recording: ExportedRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mot_challenge.write(tmp_path / "whole", recording)
    monkeypatch.setattr(mot_challenge, "_ROWS", 2)
    mot_challenge.write(tmp_path / "parts", recording)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_trackeval_reads_the_file_and_scores_it(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    """Its own reader, on pedestrians, of which one changes its id half way."""
    trackeval = pytest.importorskip("trackeval")
    truth = replace(recording, name="street", tracks=moving(1, 0, range(1, 11)))
    truth.tracks["score"] = 1
    tracked = in_order(moving(1, 0, range(1, 6)), moving(1, 0, range(1, 11))[5:])
    tracked["track_id"][5:] = 2
    mot_challenge.write(tmp_path / "gt" / "X-all" / "street" / "gt" / "gt.txt", truth)
    mot_challenge.write(
        tmp_path / "trackers" / "X-all" / "ours" / "data" / "street.txt",
        replace(truth, tracks=tracked),
    )
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "BENCHMARK": "X",
            "SPLIT_TO_EVAL": "all",
            "SEQ_INFO": {"street": 10},
            "DO_PREPROC": False,
            "PRINT_CONFIG": False,
        }
    )
    data = dataset.get_preprocessed_seq_data(
        dataset.get_raw_seq_data("ours", "street"), "pedestrian"
    )
    assert data["num_gt_dets"] == data["num_tracker_dets"] == 10
    hota = trackeval.metrics.HOTA().eval_sequence(data)
    assert np.allclose(hota["DetA"], 1)
    assert np.allclose(hota["AssA"], 0.5)
