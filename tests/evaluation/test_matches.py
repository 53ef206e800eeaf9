"""Matches are kept in one file, and a damaged one is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core.errors import StoreError
from etram_pipeline.evaluation import find_operating_scores
from etram_pipeline.evaluation.matches import Matches, read_matches, write_matches
from etram_pipeline.evaluation.resampling import resample
from etram_pipeline.evaluation.scoring import evaluate_with_matches

Make = Callable[..., Any]


@pytest.fixture
def matches(random_tables: Make) -> Matches:
    labels, detections = random_tables(1)
    scores = find_operating_scores(labels, detections, "coco")
    labels, detections = random_tables(2)
    return evaluate_with_matches(labels, detections, "coco", operating_scores=scores)[1]


def test_what_is_read_is_what_was_written(matches: Matches, tmp_path: Path) -> None:
    path = tmp_path / "matches" / "test-coco.npz"
    write_matches(matches, path)
    read = read_matches(path)
    assert (read.protocol, read.recordings) == (matches.protocol, matches.recordings)
    assert (read.class_names, read.ground_truth) == (matches.class_names, matches.ground_truth)
    before, after = resample(matches, 5), resample(read, 5)
    assert list(before) == list(after)
    for name, each in before.items():
        np.testing.assert_array_equal(each.values, after[name].values)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_file_holds_no_objects(matches: Matches, tmp_path: Path) -> None:
    write_matches(matches, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        kinds = {arrays[name].dtype.kind for name in arrays}
    assert kinds <= {"i", "u"}


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_damaged_file_is_named(matches: Matches, tmp_path: Path, keep: float) -> None:
    path = tmp_path / "a.npz"
    write_matches(matches, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(StoreError, match=r"a\.npz is damaged .*kedro run --pipelines evaluate"):
        read_matches(path)


def test_a_file_with_a_changed_byte_is_named(matches: Matches, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_matches(matches, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.npz is damaged"):
        read_matches(path)


def test_another_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", boxes=np.zeros(3))
    with pytest.raises(StoreError, match="no file of matches"):
        read_matches(tmp_path / "a.npz")


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a\.npz does not exist"):
        read_matches(tmp_path / "a.npz")
