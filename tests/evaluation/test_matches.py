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


@pytest.mark.parametrize(
    "change",
    [
        {"0_recordings": lambda rows: rows + 200},
        {"0_starts": lambda starts: starts * 2},
        {"0_starts": lambda starts: -starts},
        {"0_num_labels": lambda numbers: -numbers},
        {"0_num_labels": lambda numbers: numbers[:, :, :-1]},
        {"0_right": lambda rows: rows[:-1]},
        {"0_right": lambda rows: rows.astype(float)},
        {"operating": lambda counts: counts[:-1]},
    ],
)
def test_contradictions_never_reach_the_compiled_loops(
    matches: Matches, tmp_path: Path, change: dict[str, Callable[[np.ndarray], np.ndarray]]
) -> None:
    path = tmp_path / "a.npz"
    write_matches(matches, path)
    arrays = dict(np.load(path))
    for name, changed in change.items():
        arrays[name] = changed(arrays[name])
    np.savez(path, **arrays)
    with pytest.raises(StoreError, match=r"a\.npz is damaged"):
        read_matches(path)


def test_files_of_another_version_are_called_that(matches: Matches, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_matches(matches, path)
    arrays = dict(np.load(path))
    head = arrays["head"].tobytes().replace(b'"format": 1', b'"format": 9')
    np.savez(path, **{**arrays, "head": np.frombuffer(head, np.uint8)})
    with pytest.raises(StoreError, match="was written by another version of the project"):
        read_matches(path)


def test_an_unknown_way_of_compression_is_damage(matches: Matches, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_matches(matches, path)
    content = path.read_bytes()
    entry = content.index(b"PK\1\2")
    path.write_bytes(content[: entry + 10] + b"\x63\0" + content[entry + 12 :])
    with pytest.raises(StoreError, match=r"a\.npz is damaged"):
        read_matches(path)


def test_another_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", boxes=np.zeros(3))
    with pytest.raises(StoreError, match="no file of matches"):
        read_matches(tmp_path / "a.npz")


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a\.npz does not exist"):
        read_matches(tmp_path / "a.npz")
