"""Telling eTraM's label sets apart, without refusing honest data."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.conftest import PROJECT
from tests.label_sets import LABEL_SETS

from etram_pipeline.core import etram
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.label_sets import LabelSet, LabelSets, check_label_set
from etram_pipeline.labels.table import LABEL_DTYPE

EIGHT, THREE = "eight classes", "three super-classes"
ENOUGH = LABEL_SETS.enough_recordings

WANTS_EIGHT = DatasetSettings(height=720, width=1280, class_names=etram.CLASSES)
WANTS_THREE = DatasetSettings(
    height=720,
    width=1280,
    class_names=tuple(etram.SUPER_CLASSES),
    label_set="3 super-classes of the label files",
)


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path says nothing; that of `tmp_path` holds the name of the test."""
    return tmp_path_factory.mktemp("data")


def write(folder: Path, *class_ids: Sequence[int], name: str = "train_day_{:04d}") -> list[Path]:
    """Write a label file of each of some lists of class ids."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, own in enumerate(class_ids):
        table = np.zeros(len(own), LABEL_DTYPE)
        table["class_id"] = own
        paths.append(folder / f"{name.format(number)}_bbox.npy")
        np.save(paths[-1], table)
    return paths


def grouped(folder: Path, num: int = ENOUGH, **options: str) -> list[Path]:
    return write(folder, *[[0, 1, 1, 2]] * num, **options)


def test_files_of_the_set_that_the_run_wants_pass(data: Path) -> None:
    check_label_set(write(data / "a", [0, 1], [1, 6], [7]), WANTS_EIGHT, LABEL_SETS)
    check_label_set(grouped(data / "b"), WANTS_THREE, LABEL_SETS)


def test_eight_classes_where_three_are_wanted_are_refused_with_remedy(data: Path) -> None:
    files = write(data, [0, 1], [1, 2], [0, 5])
    with pytest.raises(LabelError, match="leave out preset=grouped_labels") as refusal:
        check_label_set(files, WANTS_THREE, LABEL_SETS)
    assert "train_day_0000_bbox.npy" in str(refusal.value)
    assert "class ids up to 5" in str(refusal.value)
    assert str(data) in str(refusal.value)


def test_three_classes_in_many_recordings_of_etram_are_refused_with_remedy(data: Path) -> None:
    with pytest.raises(LabelError, match="preset=grouped_labels") as refusal:
        check_label_set(grouped(data), WANTS_EIGHT, LABEL_SETS)
    assert "no class id above 2 in 10 recordings" in str(refusal.value)
    assert "and 7 more" in str(refusal.value)


def test_a_mixture_is_refused_and_both_folders_are_named(data: Path) -> None:
    files = write(data / "train", [0, 1, 7], [1]) + grouped(data / "val", name="val_night_{:04d}")
    for dataset in (WANTS_EIGHT, WANTS_THREE):
        with pytest.raises(LabelError, match="are of") as refusal:
            check_label_set(files, dataset, LABEL_SETS)
        assert str(data / "train") in str(refusal.value)
        assert str(data / "val") in str(refusal.value)


@pytest.mark.parametrize(
    ("folder", "dataset"),
    [
        ("labels_3_class", WANTS_EIGHT),
        ("three-classes", WANTS_EIGHT),
        ("Eight_class_annotations", WANTS_THREE),
        ("eight_class_annotations_train/night", WANTS_THREE),
    ],
)
def test_the_name_of_a_folder_decides_where_the_boxes_leave_it_open(
    folder: str, dataset: DatasetSettings, data: Path
) -> None:
    files = grouped(data / folder, num=1, name="street_{}")
    with pytest.raises(LabelError, match=f"folder's name {folder.split('/', maxsplit=1)[0]}"):
        check_label_set(files, dataset, LABEL_SETS)


def test_boxes_count_more_than_the_name_of_a_folder(data: Path) -> None:
    check_label_set(write(data / "3_class", [5]), WANTS_EIGHT, LABEL_SETS)
    with pytest.raises(LabelError, match="three super-classes"):
        check_label_set(grouped(data / "eight_class"), WANTS_EIGHT, LABEL_SETS)


def test_a_few_recordings_with_pedestrians_and_cars_alone_are_no_mixture(data: Path) -> None:
    few = grouped(data / "val", num=ENOUGH - 1)
    check_label_set(write(data / "train", [0, 6]) + few, WANTS_EIGHT, LABEL_SETS)


def test_recordings_of_ones_own_are_never_taken_for_three_classes(data: Path) -> None:
    files = grouped(data, num=5 * ENOUGH, name="junction_{}")
    check_label_set(files, WANTS_EIGHT, LABEL_SETS)


def test_a_label_set_of_ones_own_is_not_checked(data: Path) -> None:
    own = WANTS_EIGHT.model_copy(update={"label_set": "junction 2025"})
    check_label_set(grouped(data), own, LABEL_SETS)
    assert LABEL_SETS.wanted(own) is None


def test_classes_of_ones_own_are_not_checked(data: Path) -> None:
    own = WANTS_EIGHT.model_copy(update={"class_names": ("car", "bicycle", "pedestrian")})
    check_label_set(write(data, [0, 1, 9]), own, LABEL_SETS)


def test_files_without_boxes_or_that_cannot_be_read_tell_nothing(data: Path) -> None:
    files = write(data, *[[]] * ENOUGH)
    for name, content in {
        "text": b"boxes",
        "empty": b"",
        "cut": files[0].read_bytes()[:40],
        "torn": files[0].read_bytes().replace(b"'fortran_order'", b"(fortran_order'"),
        "packed": b"PK\x03\x04",
    }.items():
        files.append(data / f"{name}_bbox.npy")
        files[-1].write_bytes(content)
    np.save(data / "plain_bbox.npy", np.zeros(3))
    np.savez(data / "archive.npz", class_id=np.zeros(3))
    named = np.array([("bus",)], [("class_id", "U3")])
    np.save(data / "named_bbox.npy", named)
    np.save(data / "endless_bbox.npy", np.array([(np.inf,)], [("class_id", "f4")]))
    os.mkfifo(data / "pipe_bbox.npy")
    names = ("plain", "named", "endless", "pipe", "none")
    others = [data / "archive.npz", *(data / f"{name}_bbox.npy" for name in names)]
    check_label_set([*files, *others], WANTS_EIGHT, LABEL_SETS)


def test_labels_that_may_be_grouped_are_told_only_where_eight_classes_are_wanted() -> None:
    assert LABEL_SETS.smaller(WANTS_EIGHT, {0, 1, 2}) == THREE
    assert LABEL_SETS.smaller(WANTS_EIGHT, {0, 3}) is None
    assert LABEL_SETS.smaller(WANTS_EIGHT, set()) is None
    assert LABEL_SETS.smaller(WANTS_THREE, {0, 1, 2}) is None


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("base/parameters_dataset.yml", EIGHT),
        ("presets/three_classes.yml", EIGHT),
        ("presets/grouped_labels.yml", THREE),
    ],
)
def test_what_the_configuration_calls_a_set_of_etrams_is_known_as_one(
    file: str, wanted: str
) -> None:
    base = yaml.safe_load((PROJECT / "conf/base/parameters_dataset.yml").read_text())["dataset"]
    own = yaml.safe_load((PROJECT / "conf" / file).read_text())["dataset"]
    dataset = DatasetSettings.model_validate(base | own)
    assert dataset.label_set in LABEL_SETS.checked
    assert LABEL_SETS.wanted(dataset) == wanted


def test_the_configuration_has_the_classes_of_etram() -> None:
    sets = {name: label_set.class_names for name, label_set in LABEL_SETS.sets.items()}
    assert sets == {EIGHT: etram.CLASSES, THREE: tuple(etram.SUPER_CLASSES)}


def test_sets_of_another_dataset_are_told_apart_by_their_own_description(data: Path) -> None:
    def label_set(*class_names: str) -> LabelSet:
        return LabelSet(class_names=class_names, folder_name="nowhere", use="gather", place="there")

    sets = LabelSets(
        dataset="Crossing",
        checked=("all",),
        recording_name=r"j\d+",
        enough_recordings=2,
        sets={"big": label_set("a", "b", "c"), "mid": label_set("d", "e"), "small": label_set("f")},
    )
    wants = DatasetSettings(height=1, width=1, class_names=("a", "b", "c"), label_set="all")
    check_label_set(write(data / "a", [2], [0], name="j{}"), wants, sets)
    check_label_set(write(data / "b", [1], [0], name="other{}"), wants, sets)
    with pytest.raises(LabelError, match=r"Crossing's labels of big.*of mid \(no class"):
        check_label_set(write(data / "c", [1], [0], name="j{}"), wants, sets)
    with pytest.raises(LabelError, match=r"of small \(no class id above 0"):
        check_label_set(write(data / "d", [0], [0], name="j{}"), wants, sets)


def test_a_pattern_that_cannot_be_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        LabelSets(recording_name="(train")
