import shutil
from pathlib import Path

import pytest
from tests.conftest import OpenSession
from tests.core.test_locks import other_process
from tests.preflight.conftest import Find, faults, look


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("predict", "run `kedro run --pipelines train`"),
        ("train", "run `kedro run --pipelines preprocess`"),
        ("evaluate", "detections is not complete: run `kedro run --pipelines predict`"),
        ("report", "quality.csv does not exist: run `kedro run --pipelines preprocess`"),
        ("report", "metrics.json does not exist: run `kedro run --pipelines evaluate`"),
        ("annotate", "histograms does not exist: run `kedro run --pipelines preprocess`"),
    ],
)
def test_everything_missing_is_told_with_what_makes_it(
    session: OpenSession, name: str, message: str
) -> None:
    assert any(message in each for each in faults(look(session, (name,), None, {})))


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [("evaluate", "07_model_output/detections"), ("predict", "06_models/detector.ckpt")],
)
def test_what_another_run_is_still_making_is_told_to_be_its(
    session: OpenSession, project: Path, pipeline: str, name: str
) -> None:
    path = project / "data" / name
    with other_process(path) as pid:
        told = faults(look(session, (pipeline,), None, {}))
    busy = f"another run is using {path}, which this one reads (process {pid} on"
    assert {each.startswith(busy) for each in told if str(path) in each} == {True}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "1 of 3 recordings are empty files: "),
        (b"no recording at all", "val/c_td.h5"),
    ],
)
def test_a_bad_recording_is_told_before_anything_is_encoded(
    found: Find, raw: Path, content: bytes, message: str
) -> None:
    (raw / "val" / "c_td.h5").write_bytes(content)
    (told,) = faults(found("preprocess", train=None, predict=None, evaluate=None))
    assert message in told
    # To tell what is wrong with recordings is what the quality report is for.
    assert faults(found("quality")) == []


def test_of_many_bad_recordings_some_are_told_and_how_many_more_there_are(
    found: Find, raw: Path
) -> None:
    for number in range(5):
        (raw / "val" / f"bad_{number}_td.h5").write_bytes(b"no recording at all")
    told = faults(found("preprocess", train=None, predict=None, evaluate=None))
    assert ["bad_0_td.h5" in told[0], "bad_2_td.h5" in told[2]] == [True, True]
    assert told[3:] == ["2 more recordings cannot be opened"]


def test_an_empty_label_file_is_told(found: Find, raw: Path) -> None:
    (raw / "val" / "c_bbox.npy").write_bytes(b"")
    assert "1 of 3 label files are empty files" in faults(found("__default__"))[0]


def test_a_folder_without_recordings_is_told_once(found: Find, raw: Path) -> None:
    for split in ("train", "val"):
        shutil.rmtree(raw / split)
    (told,) = faults(found("__default__"))
    assert "01_raw/etram: put event files" in told


@pytest.mark.parametrize("name", ["data/etram", "data/etram/06_models", "data/etram/08_reporting"])
def test_a_file_in_the_place_of_a_folder_is_told(found: Find, project: Path, name: str) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("in the way")
    told = faults(found("__default__"))
    assert told
    assert all("is a file, but a folder is needed there" in each for each in told)


def test_a_folder_in_the_place_of_a_file_is_told(found: Find, project: Path) -> None:
    (project / "data/etram/08_reporting/metrics.json").mkdir(parents=True)
    assert "metrics.json is a folder, but metrics is a file" in faults(found("__default__"))[0]


def test_a_sensor_of_impossible_size_is_told(found: Find) -> None:
    told = faults(found("__default__", dataset={"height": 1_000_000}))
    assert any(each.startswith("dataset.height and dataset.width are 1000000") for each in told)


@pytest.mark.usefixtures("stores")
def test_a_damaged_list_of_histograms_does_not_keep_them_from_being_made_again(
    found: Find, project: Path
) -> None:
    for index in (project / "data/etram/02_intermediate/histograms").glob("*.index.json"):
        index.write_text("{")
    assert faults(found("preprocess", train=None, predict=None, evaluate=None)) == []
    (told,) = faults(found("predict", evaluate=None, train=None))[:1]
    assert "\n" not in told
