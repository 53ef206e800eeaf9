"""Videos as files."""

import pytest
from kedro.io import DatasetError

from etram_pipeline.datasets.video import VideoDataset


@pytest.mark.parametrize("name", ["a.avi", "a.webm", "a"])
def test_other_suffixes_are_refused_by_the_ones_that_work(name: str) -> None:
    with pytest.raises(DatasetError, match=r"change the suffix of .* to \.mp4 or \.m4v"):
        VideoDataset(filepath=name)


def test_suffixes_may_be_large() -> None:
    assert not VideoDataset(filepath="a.MP4").exists()
