"""Matches and metrics belong together, whatever happens between saving one and the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from etram_pipeline.datasets.matches import MatchesDataset
from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.scoring import evaluate_with_matches
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.table import LABEL_DTYPE


@pytest.fixture
def dataset(tmp_path: Path) -> MatchesDataset:
    (tmp_path / "metrics.json").write_text("{}")
    return MatchesDataset(
        path=str(tmp_path / "matches"), described_by=str(tmp_path / "metrics.json")
    )


@pytest.fixture
def matches() -> Matches:
    labels, detections = np.zeros(1, LABEL_DTYPE), np.zeros(1, DETECTION_DTYPE)
    for name in ("w", "h"):
        labels[name] = detections[name] = 9
    return evaluate_with_matches({"a": labels}, {"a": detections}, "coco")[1]


def test_each_protocol_has_a_file_of_its_own(
    dataset: MatchesDataset, matches: Matches, tmp_path: Path
) -> None:
    dataset.save({"coco": replace(matches, split="val")})
    assert [path.name for path in (tmp_path / "matches").iterdir()] == ["val-coco.npz"]
    assert dataset.load()["coco"].split == "val"


def test_the_former_metrics_and_matches_are_gone(
    dataset: MatchesDataset, matches: Matches, tmp_path: Path
) -> None:
    dataset.save({"coco": matches})
    dataset.save({"other": matches})
    assert [path.name for path in (tmp_path / "matches").iterdir()] == ["test-other.npz"]
    assert not (tmp_path / "metrics.json").exists()


def test_missing_and_damaged_matches_are_named(
    dataset: MatchesDataset, matches: Matches, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="no matches: run `kedro run --pipelines evaluate`"):
        dataset.load()
    dataset.save({"coco": matches})
    (tmp_path / "matches" / "test-coco.npz").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"test-coco\.npz is damaged"):
        dataset.load()
