"""Every format gives the metrics of the tables that it was written from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.lib import recfunctions
from tests.labels.detection_files.conftest import (
    DATASET,
    KEYS,
    WriteJson,
    categories,
    coco_images,
    coco_results,
)

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.evaluation import evaluate
from etram_pipeline.labels.detection_files.content import content_digest, read_detections
from etram_pipeline.labels.detection_files.known import KnownRecordings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable

Tables = dict[str, DetectionTable]
Write = Callable[[Tables, Path], Path]

PROPHESEE = ("ts", "x", "y", "w", "h", "class_id", "track_id", "class_confidence")


def write_prophesee(tables: Tables, folder: Path) -> Path:
    """Tables as Prophesee's tools write them, without split."""
    folder.mkdir()
    for key, table in tables.items():
        renamed = recfunctions.rename_fields(table, {"t": "ts"})
        dtype = np.dtype([(name, renamed.dtype[name]) for name in PROPHESEE])
        written = np.zeros(len(table), dtype)
        for name in PROPHESEE:
            written[name] = renamed[name]
        np.save(folder / f"{key.split('/')[1]}_bbox.npy", written)
    return folder


def write_rvt(tables: Tables, folder: Path) -> Path:
    """Complete tables in folders of the splits, in another order of time."""
    for key, table in tables.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{key}_td.npy", table[::-1])
    return folder


def write_parquet(tables: Tables, folder: Path) -> Path:
    """Parquet with the necessary columns alone, and no index."""
    for key, table in tables.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        columns = {name: table[name].copy() for name in ("t", *"xywh", "class_id", "score")}
        pq.write_table(pa.table(columns | {"note": ["x"] * len(table)}), folder / f"{key}.parquet")
    return folder


def write_ours(tables: Tables, folder: Path) -> Path:
    """The folder that a run saves, without what it knows of the training."""
    prediction = Prediction(tables.items(), DATASET.class_names)
    DetectionsDataset(path=str(folder)).save(prediction)
    (folder / "index.json").write_text('{"class_names": ["pedestrian", "car", "tram"]}')
    return folder


@pytest.mark.parametrize("write", [write_prophesee, write_rvt, write_parquet, write_ours])
def test_tables_give_the_metrics_of_our_own(
    labels: dict[str, LabelTable],
    detections: Tables,
    known: KnownRecordings,
    tmp_path: Path,
    write: Write,
) -> None:
    path = write(detections, tmp_path / "elsewhere")
    before = content_digest(path)
    assert_same(labels, detections, read_detections(path, known))
    assert content_digest(path) == before


def assert_same(labels: dict[str, LabelTable], expected: Tables, found: Tables) -> None:
    """Detections that give the same metrics, which are neither 0 nor 1."""
    assert sorted(found) == sorted(labels)
    for protocol in ("coco", "rvt_gen4"):
        wanted, given = (
            evaluate(labels, tables, protocol, DATASET.class_names) for tables in (expected, found)
        )
        assert 0.01 < wanted.overall["AP"] < 0.99
        for name, value in wanted.overall.items():
            assert given.overall[name] == pytest.approx(value, abs=1e-12), name
        for name, of_class in wanted.per_class.items():
            assert given.per_class[name].metrics == pytest.approx(of_class.metrics, abs=1e-12)


def test_one_file_is_the_recording_it_is_named_for(
    detections: Tables, known: KnownRecordings, tmp_path: Path
) -> None:
    folder = write_prophesee(detections, tmp_path / "elsewhere")
    found = read_detections(folder / "crossing_bbox.npy", known)
    assert list(found) == ["val/crossing"]
    assert (found["val/crossing"] == detections["val/crossing"]).all()


def test_an_empty_table_says_that_nothing_was_found(
    known: KnownRecordings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.save(tmp_path / "crossing.npy", np.zeros(0))
    assert len(read_detections(tmp_path, known)["val/crossing"]) == 0
    assert "holds no detection: every label counts as missed" in caplog.text


def numbered_images(labels: dict[str, LabelTable]) -> tuple[Any, list[dict[str, Any]]]:
    """The number of an image, and the images of an annotation file."""
    images = coco_images(labels)
    return (lambda key, time: images[key, time]["id"]), list(images.values())


def named(key: str, time: int) -> str:
    """Name of an exported picture."""
    return f"{key.split('/')[1]}_{time:010}.png"


@pytest.mark.parametrize("form", ["ids", "names", "stems", "only names of files", "no splits"])
def test_coco_results_with_an_annotation_file_give_the_metrics_of_our_own(
    labels: dict[str, LabelTable], detections: Tables, write_json: WriteJson, form: str
) -> None:
    image_of, images = numbered_images(labels)
    if form == "names":
        image_of = named
    elif form == "stems":
        image_of = lambda key, time: named(key, time).removesuffix(".png")  # noqa: E731
    elif form == "only names of files":
        images = [
            {key: value for key, value in each.items() if key not in {"recording", "t_us"}}
            for each in images
        ]
    elif form == "no splits":
        images = [
            {**each, "recording": each["recording"].split("/")[1], "t_us": float(each["t_us"])}
            for each in images
        ]
    content = {"images": images, "annotations": [], "categories": categories()}
    known = KnownRecordings(KEYS, DATASET, write_json(content, "instances.json"))
    results = write_json(coco_results(detections, image_of))
    assert_same(labels, detections, read_detections(results, known))


def test_names_of_images_need_no_annotation_file(
    labels: dict[str, LabelTable],
    detections: Tables,
    known: KnownRecordings,
    write_json: WriteJson,
    caplog: pytest.LogCaptureFixture,
) -> None:
    results = write_json(coco_results(detections, named, scale=1))
    assert_same(labels, detections, read_detections(results, known))
    assert "taken for 1 pedestrian, 2 car, 3 tram" in caplog.text
    from_zero = write_json(coco_results(detections, named, first_category=0, scale=1))
    assert_same(labels, detections, read_detections(from_zero, known))


def test_coco_results_rounded_to_three_digits_stay_near(
    labels: dict[str, LabelTable],
    detections: Tables,
    known: KnownRecordings,
    write_json: WriteJson,
) -> None:
    entries = coco_results(detections, named, scale=1)
    for entry in entries:
        entry["bbox"] = [round(side, 3) for side in entry["bbox"]]
        entry["score"] = round(entry["score"], 5)
    found = read_detections(write_json(entries), known)
    exact, near = (
        evaluate(labels, tables, "coco", DATASET.class_names).overall["AP"]
        for tables in (detections, found)
    )
    assert near == pytest.approx(exact, abs=1e-3)


def test_classes_are_matched_by_name_and_groups_gather_their_members(
    detections: Tables, write_json: WriteJson, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = DatasetSettings(
        height=720,
        width=1280,
        class_names=("tram", "pedestrian", "car", "bus"),
        class_groups={"vehicle": ("car", "bus"), "walker": ("pedestrian",)},
    )
    names = [{"id": 7, "name": "Pedestrian"}, {"id": 8, "name": "car"}, {"id": 9, "name": "tram"}]
    images = [
        {"id": named("test/street_day", time), "recording": "test/street_day", "t_us": time}
        for time in range(600_000, 1_100_000, 100_000)
    ]
    known = KnownRecordings(
        KEYS, dataset, write_json({"images": images, "categories": names}, "instances.json")
    )
    rows = {"test/street_day": detections["test/street_day"][:20]}
    found = read_detections(
        write_json(coco_results(rows, named, first_category=7, scale=1)), known
    )["test/street_day"]
    ids = rows["test/street_day"]["class_id"]
    assert set(ids) == {0, 1, 2}
    meant = {0: 1, 1: 0}  # tram is in no group
    assert found["class_id"].tolist() == [meant[each] for each in ids if each in meant]
    assert "are of classes that `dataset` does not have (tram)" in caplog.text


def test_an_annotation_file_says_which_recordings_were_looked_at(
    labels: dict[str, LabelTable], detections: Tables, write_json: WriteJson
) -> None:
    image_of, images = numbered_images(
        {key: labels[key] for key in ("test/street_day", "val/crossing")}
    )
    content = {"images": images, "categories": categories()}
    known = KnownRecordings(KEYS, DATASET, write_json(content, "instances.json"))
    one = {"val/crossing": detections["val/crossing"]}
    found = read_detections(write_json(coco_results(one, image_of)), known)
    assert {key: len(table) for key, table in found.items()} == {
        "test/street_day": 0,
        "val/crossing": 70,
    }


def test_without_one_a_recording_without_detections_counts_as_empty_in_its_split_alone(
    detections: Tables,
    known: KnownRecordings,
    write_json: WriteJson,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = {"test/street_day": detections["test/street_day"]}
    found = read_detections(write_json(coco_results(one, named, scale=1)), known)
    assert {key: len(table) for key, table in found.items()} == {
        "test/street_day": 70,
        "test/street_night": 0,
    }
    assert (
        "no detection in 1 labelled recording of the same split (test/street_night)" in caplog.text
    )
