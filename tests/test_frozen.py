"""What an earlier version stored is up to date, and what it began goes on; `frozen/README.md`."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from kedro.framework.project import configure_project
from tests.conftest import PROJECT

from etram_pipeline.core.mappings import flatten
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.events.recording import open_recording
from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.session import Session

FROZEN = Path(__file__).parent / "frozen"
TRAININGS = FROZEN / "data/06_models/trainings"
STORES = ("01_raw", "02_intermediate", "03_primary", "05_model_input")
REWRITTEN = ("job.json", "detector.ckpt", ".lock")
"""Ends of the names of files that are written although nothing is computed."""

State = dict[Path, tuple[int, bytes]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with the current configuration and everything the earlier version made."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    shutil.copytree(FROZEN / "conf", tmp_path / "conf/frozen")
    shutil.copytree(FROZEN / "data", tmp_path / "data")
    for name, time_ns in json.loads((FROZEN / "times.json").read_text()).items():
        os.utime(tmp_path / "data" / name, ns=(time_ns, time_ns))
    monkeypatch.chdir(tmp_path)
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    configure_project("etram_pipeline")
    return tmp_path


@pytest.fixture(autouse=True)
def _as_many_threads() -> Iterator[None]:
    """One thread, as the earlier version had: the order of additions decides the last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def is_same_machine() -> bool:
    """Whether arithmetic has the same last bits here as where the files were made."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processors = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    here = {
        "processor": next(iter(processors), ""),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }
    return bool(here == json.loads((FROZEN / "machine.json").read_text()))


def run(project: Path, *pipelines: str, **parameters: object) -> None:
    """`kedro run --env frozen`."""
    parameters = {"mlflow": False, **parameters}
    conf = str(project / "conf")
    opened = Session.create(project, env="frozen", conf_source=conf, runtime_params=parameters)
    assert isinstance(opened, Session)
    with opened as session:
        session.run(pipeline_names=list(pipelines))


def state(project: Path, *folders: str) -> State:
    """Time of change and content of every file that a run could replace."""
    return {
        path.relative_to(project): (path.stat().st_mtime_ns, path.read_bytes())
        for folder in folders
        for path in sorted((project / "data" / folder).rglob("*"))
        if path.is_file() and not path.name.endswith(REWRITTEN)
    }


def contents(found: State) -> dict[Path, bytes]:
    return {path: content for path, (_, content) in found.items()}


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(checkpoint).detector.state_dict()


def assert_same_detector(project: Path) -> None:
    """Other versions of PyTorch write the same weights in other bytes."""
    found, expected = (weights(each / "data/06_models/detector.ckpt") for each in (project, FROZEN))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_nothing_stored_is_computed_again_and_no_step_is_trained(project: Path) -> None:
    stores, models = state(project, *STORES), contents(state(project, "06_models"))
    run(project, "preprocess", "export", "train")
    assert len(stores) > 50
    assert state(project, *STORES) == stores
    assert contents(state(project, "06_models")) == models
    assert_same_detector(project)


@pytest.mark.skipif(
    sys.version_info < (3, 11, 4),
    reason="zip files of earlier versions have other headers, so that new labels differ in bytes",
)
def test_dates_that_a_copy_lost_change_nothing_that_is_known_by_its_content(project: Path) -> None:
    for path in (project / "data/01_raw").rglob("*.*"):
        os.utime(path)
    stores, models = state(project, "02_intermediate"), contents(state(project, "06_models"))
    run(project, "preprocess", "train")
    after = state(project, "02_intermediate")
    changed = {path.name for path in stores if after[path] != stores[path]}
    assert changed <= {"quality.index.json", "event_representations_v2.index.json"}
    assert contents(state(project, "06_models")) == models
    assert_same_detector(project)


def test_detections_are_the_same(project: Path, is_same_machine: bool) -> None:  # noqa: FBT001
    folder = project / "data/07_model_output/detections"
    before = dict(DetectionStore(folder))
    shutil.rmtree(folder)
    run(project, "predict")
    after = DetectionStore(folder)
    assert list(after) == list(before) == ["test/test_day_0001"]
    found, expected = after["test/test_day_0001"], before["test/test_day_0001"]
    assert len(expected) > 1000
    if is_same_machine:
        np.testing.assert_array_equal(found, expected)
    else:  # rounding decides about those that are close to a threshold
        assert len(found) == pytest.approx(len(expected), rel=0.02)
        best, wanted = (np.sort(table["score"])[-100:] for table in (found, expected))
        np.testing.assert_allclose(best, wanted, rtol=1e-3)


def test_metrics_are_the_same(project: Path) -> None:
    path = project / "data/08_reporting/metrics.json"
    before = numbers(path)
    path.unlink()
    run(project, "evaluate")
    after = numbers(path)
    assert before["etram_8class.overall.AP_50[0]"] > 0.1
    assert {name: after[name] for name in before} == pytest.approx(before, rel=1e-9)


def numbers(path: Path) -> Mapping[str, float]:
    """Every number of a file of metrics by its place, without those of the protocol."""
    return {
        f"{name}[{place}]": value
        for name, values in flatten(json.loads(path.read_text())).items()
        if ".protocol." not in name
        for place, value in enumerate(np.ravel(values).tolist())
        if isinstance(value, int | float)
    }


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    project: Path,
    is_same_machine: bool,  # noqa: FBT001
) -> None:
    stopped = next(path for path in TRAININGS.iterdir() if not (path / "finished.json").exists())
    run(project, "train", train={"seed": 0})
    trainings = project / "data/06_models/trainings"
    assert {path.name for path in trainings.iterdir()} == {
        path.name for path in TRAININGS.iterdir()
    }
    went_on = trainings / stopped.name
    assert (went_on / "finished.json").exists()
    history = (went_on / "history.csv").read_text()
    assert history.startswith((stopped / "history.csv").read_text())
    assert (went_on / "best.ckpt").read_bytes() == (stopped / "best.ckpt").read_bytes()
    found = weights(went_on / "last.ckpt")
    for name, expected in weights(FROZEN / "continued.ckpt").items():
        tolerance = 0.0 if is_same_machine else 1e-2
        torch.testing.assert_close(found[name], expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in FROZEN.glob("data/recordings/*.index"))
)
def test_an_index_of_times_is_used(project: Path, name: str) -> None:
    folder = project / "data/recordings"
    before = state(project, "recordings")
    recording = open_recording(folder / name, index=folder / f"{name}.index")
    assert state(project, "recordings") == before
    assert recording.num_events == 200
