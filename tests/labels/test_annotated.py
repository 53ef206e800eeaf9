"""Lists of moments that were looked at."""

from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.annotated import find_moments, read_moments


def test_the_list_lies_beside_the_label_file(tmp_path: Path) -> None:
    label_path = tmp_path / "a_bbox.npy"
    assert find_moments(label_path) is None

    np.save(tmp_path / "a_annotated.npy", np.array([300_000, 100_000, 300_000], np.uint64))

    path = find_moments(label_path)
    assert path == tmp_path / "a_annotated.npy"
    assert read_moments(path).tolist() == [100_000, 300_000]


@pytest.mark.parametrize("content", [np.zeros((2, 2), np.int64), np.array([0.5])])
def test_anything_else_is_refused(tmp_path: Path, content: np.ndarray) -> None:
    path = tmp_path / "a_annotated.npy"
    np.save(path, content)
    with pytest.raises(LabelError, match="must hold a list of whole numbers"):
        read_moments(path)


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a_annotated.npy"
    path.write_bytes(b"no array")
    with pytest.raises(LabelError, match="missing or damaged"):
        read_moments(path)
