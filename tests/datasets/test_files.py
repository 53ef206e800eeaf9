import shutil
from pathlib import Path

import pytest
from kedro.io import DatasetError

from etram_pipeline.datasets.files import FileDataset, PageDataset


def test_a_file_is_copied_to_its_place(tmp_path: Path) -> None:
    (tmp_path / "made.ckpt").write_bytes(b"weights")
    dataset = FileDataset(filepath=str(tmp_path / "models/detector.ckpt"))
    dataset.save(tmp_path / "made.ckpt")
    assert dataset.load().read_bytes() == b"weights"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["detector.ckpt"]


def test_a_missing_file_names_the_pipeline_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="run `kedro run --pipelines train`"):
        FileDataset(filepath=str(tmp_path / "x.ckpt"), made_by="train").load()


def test_another_file_can_be_read_but_is_never_written(tmp_path: Path) -> None:
    other = tmp_path / "published.ckpt"
    other.write_bytes(b"published")
    (tmp_path / "made.ckpt").write_bytes(b"trained")
    dataset = FileDataset(filepath=str(tmp_path / "own.ckpt"), read_from={"filepath": str(other)})
    assert dataset.load() == other
    dataset.save(tmp_path / "made.ckpt")
    assert other.read_bytes() == b"published"
    assert (tmp_path / "own.ckpt").read_bytes() == b"trained"


def test_what_describes_the_former_file_is_gone_before_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.ckpt").write_bytes(b"weights")
    history = tmp_path / "detector.ckpt.history.csv"
    path = str(tmp_path / "detector.ckpt")
    dataset = FileDataset(filepath=path, described_by=[".history.csv"])
    dataset.save(tmp_path / "made.ckpt")

    def fail(*_: object) -> None:
        raise OSError("power cut")

    for place, name in ((shutil, "copyfile"), (Path, "replace")):
        history.write_text("step,name,value\n")
        with monkeypatch.context() as patched:
            patched.setattr(place, name, fail)
            with pytest.raises(DatasetError, match="power cut"):
                dataset.save(tmp_path / "made.ckpt")
        assert dataset.load().read_bytes() == b"weights"
        assert history.exists() == (name == "copyfile")


def test_a_page_that_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    dataset = PageDataset(filepath=str(tmp_path / "pages" / "traffic.html"))
    with pytest.raises(DatasetError, match="run the pipeline that makes it"):
        dataset.load()
    dataset.save("<p>Größe</p>\n")
    with pytest.raises(DatasetError):
        dataset.save("<p>half of it \ud800</p>")  # the encoder stops here
    assert dataset.load() == "<p>Größe</p>\n"
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["traffic.html"]
