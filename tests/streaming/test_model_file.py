"""Reading and writing the files of exported detectors."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.exported import describe, some_windows, write_exported

from etram_pipeline.core.errors import CheckpointError, ExportError
from etram_pipeline.streaming.description import METADATA_KEY
from etram_pipeline.streaming.model import ExportedModel, is_onnx, read_description
from etram_pipeline.streaming.model_file import (
    CHECKSUM_KEY,
    read_model_file,
    write_model_file,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_exported(tmp_path / "detector.onnx")


def refusal(path: Path) -> str:
    """The message about a file that cannot be opened, which is of one line."""
    with pytest.raises(ExportError) as caught:
        ExportedModel(path)
    message = str(caught.value)
    assert message.startswith((str(path), f"the description of {path}"))
    assert "\n" not in message
    return message


def test_a_description_is_read_as_it_was_written(path: Path) -> None:
    assert read_description(path) == describe()


def test_other_programs_read_the_file_as_onnx(path: Path) -> None:
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert [each.key for each in model.metadata_props] == [METADATA_KEY, CHECKSUM_KEY]
    assert model.opset_import[0].version == 18


def test_a_description_that_is_replaced_leaves_nothing_of_the_former(path: Path) -> None:
    other = describe(mlflow_run_id="f00")
    write_model_file(path, path.read_bytes(), other)
    assert read_description(path) == other
    assert len(onnx.load(str(path)).metadata_props) == 2


def test_a_file_saved_by_another_program_says_that_its_checksum_is_out_of_date(path: Path) -> None:
    model = onnx.load(str(path))
    model.producer_name = "another"
    onnx.save(model, str(path))
    assert "changed by another program: its checksum does not fit" in refusal(path)
    write_model_file(path, path.read_bytes(), describe())
    assert ExportedModel(path).description == describe()


def test_a_file_without_checksum_is_read(path: Path) -> None:
    model = onnx.load(str(path))
    del model.metadata_props[1:]
    onnx.save(model, str(path))
    assert read_description(path) == describe()


@pytest.mark.parametrize("content", [b"", b"\x08", b"PK\x03\x04", b"\x89HDF\r\n", b"\0" * 5000])
def test_another_file_is_no_onnx_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "detector.onnx"
    path.write_bytes(content)
    assert not is_onnx(path)
    assert "not an ONNX file" in refusal(path)


def test_an_onnx_file_is_known_by_its_content(path: Path, tmp_path: Path) -> None:
    assert is_onnx(path.rename(tmp_path / "detector.ckpt"))
    torch.save({"a": torch.zeros(3)}, tmp_path / "torch.onnx")
    assert not is_onnx(tmp_path / "torch.onnx")
    assert not is_onnx(tmp_path / "missing.onnx")
    assert not is_onnx(tmp_path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "missing.onnx")
    assert "is a folder" in refusal(tmp_path)


def test_onnx_files_of_others_are_refused(path: Path) -> None:
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.save(model, str(path))
    assert "not one of this project" in refusal(path)


def test_a_file_of_a_newer_version_says_so(path: Path) -> None:
    _change(path, {"format": 2, "invented_later": 1})
    assert "format 2, which is newer than this version of the project" in refusal(path)


def test_an_unknown_field_is_named(path: Path) -> None:
    _change(path, {"invented": 1})
    assert "invented: unknown key" in refusal(path)


def test_a_description_that_is_no_json_is_damage(path: Path) -> None:
    model = onnx.load(str(path))
    model.metadata_props[0].value = "{"
    del model.metadata_props[1:]
    onnx.save(model, str(path))
    assert "is damaged" in refusal(path)


def test_a_file_cut_off_anywhere_is_refused(path: Path, tmp_path: Path) -> None:
    """But for the last 100 bytes: without the whole checksum, all else is there."""
    whole = path.read_bytes()
    cut = tmp_path / "cut.onnx"
    near_the_end = range(len(whole) - 150, len(whole))
    for length in (*range(0, near_the_end.start, 7), *near_the_end):
        cut.write_bytes(whole[:length])
        trouble = _trouble(read_model_file, cut)
        if trouble:
            assert "\n" not in trouble
        else:
            assert read_description(cut) == describe()
            assert whole[length:].count(CHECKSUM_KEY.encode()) == 1


def test_changed_bytes_are_found(path: Path, tmp_path: Path) -> None:
    """But for those of the checksum's own name: without a checksum, all else is as it was."""
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    expected = ExportedModel(path).step(some_windows(2)).objectness
    changed = tmp_path / "changed.onnx"
    chance = np.random.default_rng(0)
    num_refused = 0
    for _ in range(200):
        content = whole.copy()
        places = chance.integers(0, len(content), chance.integers(1, 5))
        content[places] ^= chance.integers(1, 256, len(places)).astype(np.uint8)
        changed.write_bytes(content.tobytes())
        trouble = _trouble(ExportedModel, changed)
        if trouble:
            num_refused += 1
            assert "\n" not in trouble
        else:
            found = ExportedModel(changed).step(some_windows(2)).objectness
            np.testing.assert_array_equal(found, expected)
    assert num_refused > 150


def test_a_description_that_is_nested_without_end_is_refused(path: Path) -> None:
    model = onnx.load(str(path))
    model.metadata_props[0].value = "[" * 100_000
    del model.metadata_props[1:]
    onnx.save(model, str(path))
    assert "its description is no JSON" in refusal(path)


def test_a_file_that_cannot_be_read_is_a_checkpoint_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        read_description(tmp_path / "missing.onnx")


def _trouble(read: Callable[[Path], object], path: Path) -> str:
    """Why a file is refused; empty if it is not."""
    try:
        read(path)
    except ExportError as error:
        return str(error)
    return ""


def _change(path: Path, fields: dict[str, object]) -> None:
    model = onnx.load(str(path))
    plain = json.loads(model.metadata_props[0].value) | fields
    model.metadata_props[0].value = json.dumps(plain)
    del model.metadata_props[1:]
    onnx.save(model, str(path))
