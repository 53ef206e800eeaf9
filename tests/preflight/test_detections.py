"""Detections of another program are compared with the labels before a run.

The stored recording `val/c` has boxes of 30 x 40 px at nine moments, 100 ms apart.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import PROJECT, OpenSession
from tests.preflight.conftest import FITTING, Find, faults, look, warnings

from etram_pipeline.datasets.detections import DetectionsDataset
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.preflight.run import Notice
from etram_pipeline.session import Session

MOMENTS = 100_000 * np.arange(1, 10)


def table(times_us: object = MOMENTS, **columns: object) -> DetectionTable:
    """The labels of the recording, at other times."""
    made = np.zeros(np.size(times_us), DETECTION_DTYPE)  # type: ignore[arg-type]
    made["t"] = times_us
    made["x"], made["y"], made["w"], made["h"] = 10, 20, 30, 40
    made["score"] = np.linspace(0.001, 0.9, len(made))
    made["class_score"] = made["class_confidence"] = made["score"]
    made["objectness"] = 1
    for name, values in columns.items():
        made[name] = values
    return made


def told_of(findings: list[Notice]) -> list[str]:
    """Messages about detections, without those about parameters that no node reads."""
    return [each.message for each in findings if "without effect" not in each.message]


def save(folder: Path, found: DetectionTable, name: str = "c.npy") -> str:
    folder.mkdir(exist_ok=True)
    np.save(folder / name, found)
    return str(folder)


@pytest.mark.usefixtures("stores")
def test_detections_that_fit_are_no_news(found: Find, tmp_path: Path) -> None:
    assert told_of(found("evaluate", detections=save(tmp_path / "other", table()))) == []


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("made", "protocol", "message"),
    [
        (
            table(MOMENTS + 700),
            "coco",
            "{like: coco, name: coco_near, frames: near}",
        ),
        (table(MOMENTS // 1000), "coco", "give times in microseconds since the same moment"),
        (
            table(MOMENTS // 1000),
            {"like": "coco", "name": "near", "frames": "near"},
            "none is within 25000 us of the time of a label",
        ),
        (table(class_id=3), "coco", "class ids 3, but the 1 classes of `dataset` (car)"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    found: Find, tmp_path: Path, made: DetectionTable, protocol: object, message: str
) -> None:
    path = save(tmp_path / "other", made)
    (fault,) = faults(found("evaluate", detections=path, evaluate={"protocols": [protocol]}))
    assert message in fault


@pytest.mark.usefixtures("stores")
def test_near_protocols_compare_detections_at_other_times(found: Find, tmp_path: Path) -> None:
    path = save(tmp_path / "other", table(MOMENTS + 700))
    near = {"like": "coco", "name": "coco_near", "frames": "near"}
    findings = found("evaluate", detections=path, evaluate={"protocols": [near]})
    assert faults(findings) == []
    (told,) = told_of(findings)
    assert "no detection is at 9 of 9 labelled moments" in told


@pytest.mark.usefixtures("stores")
def test_smaller_pictures_and_high_thresholds_are_told(found: Find, tmp_path: Path) -> None:
    many = np.repeat(MOMENTS, 10)
    small = table(many, x=5, y=10, w=10, h=10, score=np.linspace(0.3, 0.9, 90))
    findings = found("evaluate", detections=save(tmp_path / "other", small))
    assert faults(findings) == []
    assert [told for told in warnings(findings) if "stored down to 0.3" in told]


@pytest.mark.usefixtures("stores")
def test_protocols_of_masks_need_detections_with_masks(found: Find, tmp_path: Path) -> None:
    path = save(tmp_path / "other", table())
    told = told_of(found("evaluate", detections=path, evaluate={"protocols": ["coco_masks"]}))
    assert told[-1].startswith(
        "evaluate.protocols: coco_masks compares masks, but the detections of "
        f"{path} have none: masks are only read from the folder of another run"
    )


@pytest.mark.usefixtures("stores")
def test_missing_recordings_are_named(found: Find, tmp_path: Path) -> None:
    path = save(tmp_path / "other", table(), "a.npy")
    (fault,) = faults(found("evaluate", detections=path))
    assert fault == (
        "1 of 1 labelled recordings of 'val' have no detections (val/c): add them to "
        f"{path}, also where nothing was found"
    )
    (fault,) = faults(found("evaluate", detections=f"{path}/a.npy"))
    assert fault.endswith(
        f"(val/c): give a folder with a table for each instead of {path}/a.npy, also where "
        "nothing was found"
    )


@pytest.mark.usefixtures("stores")
def test_images_need_a_meaning(found: Find, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    entry: dict[str, Any] = {"image_id": 1, "category_id": 0, "bbox": [10, 20, 30, 40], "score": 1}
    path.write_text(json.dumps([entry]))
    (fault,) = faults(found("evaluate", detections=str(path)))
    assert "1 of 1 image (1) of which nothing says which moment" in fault


def test_new_detections_and_images_alone_are_refused(found: Find, tmp_path: Path) -> None:
    path = save(tmp_path / "other", table())
    told = faults(found("predict", "evaluate", detections=path, checkpoint="missing.ckpt"))
    assert any(
        "would make new detections, but the catalog or `--params det" in each for each in told
    )
    assert any(
        each.startswith("`detections_images` numbers the images of detections")
        for each in faults(found("evaluate", detections_images="instances.json"))
    )


@pytest.mark.usefixtures("stores")
def test_a_catalog_that_would_ignore_the_option_is_refused(project: Path, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf", project / "conf")
    with (project / "conf/etram/catalog.yml").open("a") as catalog:
        catalog.write(
            "\ndetections:\n  type: etram_pipeline.datasets.detections.DetectionsDataset\n"
            "  path: data/mine\n"
        )

    def open_session(env: str | None = None, **parameters: object) -> Session:
        opened = Session.create(project, env=env, runtime_params=parameters)
        assert isinstance(opened, Session)
        return opened

    given = FITTING | {"detections": save(tmp_path / "other", table())}
    told = faults(look(open_session, ("evaluate",), "etram", given))
    assert [each for each in told if "does not read what `--params detections=…` names" in each]


@pytest.mark.parametrize("env", [None, "etram", "recording", "scene_masks"])
def test_all_environments_read_them(session: OpenSession, tmp_path: Path, env: str | None) -> None:
    path = save(tmp_path / "other", table())
    recording = {"recording": path} if env == "recording" else {}
    with session(env, detections=path, **recording) as active:
        dataset = active.load_context().catalog.get("detections")
    assert isinstance(dataset, DetectionsDataset)
    assert dataset.reads_another
    assert dataset.source == Path(path)


def test_paths_that_hold_no_detections_are_refused(found: Find, tmp_path: Path) -> None:
    told = faults(found("evaluate", detections=str(tmp_path / "missing")))
    assert any("there are no detections at" in each for each in told)


@pytest.mark.usefixtures("stores")
def test_a_report_needs_no_detector(found: Find, tmp_path: Path) -> None:
    path = save(tmp_path / "other", table())
    told = faults(found("evaluate", "report", detections=path))
    assert not [each for each in told if "detector.ckpt" in each]
    told = faults(found("evaluate", "report"))
    assert [each for each in told if "detector.ckpt" in each]
