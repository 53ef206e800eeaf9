"""What is told before a run on a published data set, or on what RVT made of one."""

import re
import shutil
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import pytest
from tests.conftest import OpenSession
from tests.preflight.conftest import Find, Save, faults, look
from tests.published_sets import write_1mpx, write_dsec, write_gen1

from etram_pipeline.stores.record import RECORD_ATTRIBUTE


@pytest.fixture
def made_by_rvt(stores: Path) -> Path:
    """One folder with the labels and histograms of all recordings, without any record of them."""
    folder = stores / "rvt"
    for name in ("03_primary/labelled_frames", "02_intermediate/histograms"):
        shutil.copytree(stores / name, folder, dirs_exist_ok=True)
    for path in [*folder.glob("*.json"), *folder.rglob("settings.json")]:
        path.unlink()
    for path in folder.rglob("*.h5"):
        with h5py.File(path, "a") as file:
            del file.attrs[RECORD_ATTRIBUTE]
    return folder


@pytest.mark.parametrize(
    ("env", "other", "words"),
    [
        ("gen4", "gen1", "recordings of Gen1, .* are those of 1 Mpx: use `--env gen1`"),
        ("gen1", "gen4", "recordings of 1 Mpx, .* are those of Gen1: use `--env gen4`"),
    ],
)
def test_recordings_of_another_data_set_are_refused(
    session: OpenSession, project: Path, env: str, other: str, words: str
) -> None:
    write = write_gen1 if other == "gen1" else write_1mpx
    write(project / "raw", duration_s=0.5, labelled_s=0.5)
    given = {"recording": str(project / "raw")}

    (fault,) = faults(look(session, ("preprocess",), env, given))
    assert faults(look(session, ("preprocess",), other, given)) == []

    assert re.search(words, fault)


def test_recordings_under_names_of_their_own_are_not_refused(
    session: OpenSession, project: Path
) -> None:
    write_gen1(project / "raw", duration_s=0.5, labelled_s=0.5)
    given = {"recording": str(project / "raw"), "dataset": {"label_set": "mine"}}

    assert faults(look(session, ("preprocess",), "gen4", given)) == []


def test_sequences_of_dsec_go_from_folders_to_labels(session: OpenSession, project: Path) -> None:
    write_dsec(project / "data/01_raw/dsec", duration_s=0.5)

    assert faults(look(session, ("preprocess", "train"), "dsec", {})) == []

    shutil.rmtree(project / "data/01_raw/dsec/train/zurich_city_00_a/object_detections")
    told = faults(look(session, ("preprocess", "train"), "dsec", {}))
    assert any("nothing to train on" in fault for fault in told)


@pytest.mark.parametrize("env", ["gen1", "gen4", "dsec"])
def test_a_folder_that_is_not_there_is_named(
    session: OpenSession, env: str, tmp_path: Path
) -> None:
    (fault, *_) = faults(look(session, ("preprocess",), env, {}))
    assert f"data/01_raw/{env}" in fault

    (tmp_path / "empty").mkdir()
    given = {"recording": str(tmp_path / "empty")}
    told = faults(look(session, ("preprocess",), env, given))
    assert any("recording=…" in fault for fault in told)


def test_what_rvt_preprocessed_is_used_with_a_warning(
    found: Find, made_by_rvt: Path, save_checkpoint: Save
) -> None:
    given = {"preprocessed": str(made_by_rvt), "checkpoint": str(save_checkpoint())}

    told = found("predict", "evaluate", **given)

    assert faults(told) == []
    (warning,) = [each.message for each in told if "does not state how it was made" in each.message]
    assert str(made_by_rvt) in warning
    assert "taken for car" in warning


def test_what_rvt_preprocessed_is_not_preprocessed_again(found: Find, made_by_rvt: Path) -> None:
    told = faults(found("preprocess", "train", preprocessed=str(made_by_rvt)))

    assert any("would make new labelled frames" in fault for fault in told)
    assert all("`--params preprocessed=…` says" in fault for fault in told)


def test_what_rvt_preprocessed_of_another_sensor_is_refused(found: Find, made_by_rvt: Path) -> None:
    dataset = {"height": 240, "width": 304}

    told = faults(found("train", preprocessed=str(made_by_rvt), dataset=dataset))

    assert any("about 96 x 128 px, but `dataset` has 240 x 304 px" in fault for fault in told)


def test_a_folder_of_preprocessed_data_that_is_not_there_is_named(found: Find) -> None:
    (fault, *_) = faults(found("train", preprocessed="/nowhere/gen1"))

    assert fault == "/nowhere/gen1 is no folder: check the path"
