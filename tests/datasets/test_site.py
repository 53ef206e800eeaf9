"""Lines and zones of a site."""

from pathlib import Path

import pytest

from etram_pipeline.core.errors import SiteError
from etram_pipeline.datasets.site import SiteDataset


@pytest.mark.parametrize(("name", "words"), [("sites", "has no suffix"), ("a.yml", "is a folder")])
def test_a_folder_is_no_site_file(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(SiteError, match=words):
        SiteDataset(filepath=str(tmp_path / name)).load().of(640, 384)
