"""Gen1 and 1 Mpx by name, as their users run them on what they downloaded; asked for with `-m e2e`.

The detector learns for two steps, so that scores are low; that all of them are there is the test.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import pytest
from tests.e2e.conftest import kedro
from tests.published_sets import write_1mpx, write_gen1

from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.rvt_format.export import write_rvt_checkpoint
from etram_pipeline.stores.record import RECORD_ATTRIBUTE

pytestmark = pytest.mark.e2e

SCORED = (
    "mlflow=false,predict.lanes=2,predict.suppression.score_threshold=1e-6,"
    "evaluate.intervals.rounds=0"
)
QUICK = (
    f"{SCORED},"
    "detector.backbone.embed_dim=16,detector.backbone.attention.dim_head=16,"
    "detector.backbone.attention.layer_scale=0.1,detector.neck.num_bottlenecks=1,"
    "train.max_steps=2,train.lanes=1,train.clip_length=2,train.validation.every_steps=2,"
    "train.validation.lanes=1"
)
WITHOUT_TRAFFIC = "preprocess,train,predict,evaluate,report"


def metrics_of(results: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((results / "08_reporting/metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def gen1(project: Path) -> str:
    write_gen1(project / "data/01_raw/gen1", labelled_s=5)
    return kedro(project, "run", "--env", "gen1", "--pipelines", WITHOUT_TRAFFIC, "--params", QUICK)


@pytest.fixture(scope="module")
def made_by_rvt(project: Path, gen1: str) -> Path:  # noqa: ARG001  # what is copied
    """The labels and histograms of Gen1 as RVT's script leaves them: in one folder, unexplained."""
    folder = project.parent / "preprocessed"
    for source in ("03_primary/labelled_frames", "02_intermediate/histograms"):
        shutil.copytree(project / "data/gen1" / source, folder, dirs_exist_ok=True)
    for path in [*folder.glob("*.json"), *folder.rglob("settings.json"), *folder.glob("**/.*")]:
        path.unlink(missing_ok=True)
    for path in folder.rglob("*.h5"):
        with h5py.File(path, "a") as file:
            del file.attrs[RECORD_ATTRIBUTE]
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


@pytest.mark.usefixtures("gen1")
def test_gen1_goes_through_all_pipelines(project: Path) -> None:
    metrics = metrics_of(project / "data/gen1")
    assert list(metrics) == ["rvt_gen1", "coco"]
    # Labels at 4 and at 1 Hz for 5 s; those at 0.25 and 0.5 s come too early for RVT.
    assert metrics["coco"]["num_frames"] == 20 + 5
    assert metrics["rvt_gen1"]["num_frames"] == 18 + 5
    assert list(metrics["rvt_gen1"]["per_class"]) == ["car", "pedestrian"]
    assert metrics["coco"]["num_detections"] > 0
    assert (project / "data/gen1/08_reporting/report.html").is_file()


def test_a_published_checkpoint_scores_on_data_that_rvt_preprocessed(
    project: Path, made_by_rvt: Path
) -> None:
    trained = read_checkpoint(project / "data/gen1/06_models/detector.ckpt")
    write_rvt_checkpoint(project.parent / "rvt-n.ckpt", trained)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in contents(made_by_rvt)}

    told = kedro(
        *(project, "run", "--env", "gen1", "--pipelines", "predict,evaluate", "--params"),
        f"{SCORED},preprocessed={made_by_rvt},checkpoint={project.parent}/rvt-n.ckpt,"
        "results=data/published",
    )

    assert "does not state how it was made" in " ".join(told.split())
    assert contents(made_by_rvt) == sorted(before)
    for path, (changed_ns, number) in before.items():
        assert (path.stat().st_mtime_ns, path.stat().st_ino) == (changed_ns, number)
    found, wanted = metrics_of(project / "data/published"), metrics_of(project / "data/gen1")
    for name in ("rvt_gen1", "coco"):
        assert found[name]["num_detections"] == wanted[name]["num_detections"]
        assert found[name]["overall"] == wanted[name]["overall"]


def contents(folder: Path) -> list[Path]:
    """Everything in a folder, and what lies beside it."""
    return sorted([*folder.rglob("*"), folder, *folder.parent.glob(f".{folder.name}*")])


def test_1mpx_goes_through_all_pipelines(project: Path) -> None:
    write_1mpx(project.parent / "elsewhere", labelled_s=2)
    kedro(
        *(project, "run", "--env", "gen4", "--pipelines", WITHOUT_TRAFFIC, "--params"),
        f"{QUICK},recording={project.parent / 'elsewhere'}",
    )

    metrics = metrics_of(project / "data/gen4")
    assert list(metrics) == ["rvt_gen4", "coco"]
    assert list(metrics["rvt_gen4"]["per_class"]) == ["pedestrian", "two-wheeler", "car"]
    assert metrics["coco"]["num_frames"] == metrics["coco"]["num_labels"] == 19  # 10 Hz from 0.1 s
    assert metrics["rvt_gen4"]["num_frames"] == 14  # later than 0.5 s
    assert (project / "data/gen4/08_reporting/report.html").is_file()
