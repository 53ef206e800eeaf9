"""The code in the documentation runs: recipes, snippets, notebooks."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.conftest import PROJECT
from tests.pages import RECIPES, Block, blocks, installed_recipes
from tests.street import write_street

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core import etram
from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.scene import SceneLabelsDataset, SceneRecordingsDataset
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation import metrics as family
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.representations.stacked_histogram import Config as StackedHistogram
from etram_pipeline.events.windows.label_aligned import Config as LabelAligned
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.masks import check_masks, find_masks, read_masked_labels
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable, read_labels
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.preprocessing.labels import label_jobs
from etram_pipeline.preprocessing.representations import encode_jobs
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS
from etram_pipeline.stores.settings import StorageSettings
from etram_pipeline.traffic.homography import LARGE_RESIDUAL_M, fit_homography
from etram_pipeline.traffic.site_files import read_site

NOTEBOOKS = sorted(path.name for path in (PROJECT / "notebooks").glob("*.ipynb"))
RECIPE_TESTS = [block for block in blocks(RECIPES, "python") if block.path.startswith("tests/")]

SMALL_RVT = {
    "kind": "rvt",
    "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 4}},
    "neck": {"kind": "pafpn", "num_bottlenecks": 1},
}


@pytest.fixture(scope="module", autouse=True)
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder with the files of all recipes, which can be imported."""
    root = tmp_path_factory.mktemp("recipes")
    with installed_recipes(root):
        yield root


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more would wait for each other longer than such small maps take
    yield
    torch.set_num_threads(num_threads)


def run(code: str, names: dict[str, Any]) -> None:
    """Run code of a page with the names that code before it left."""
    exec(code, names)


def example_tables() -> tuple[dict[str, LabelTable], dict[str, LabelTable]]:
    """A pedestrian by night, and a detection that hits it."""
    labels, detections = np.zeros(1, LABEL_DTYPE), np.zeros(1, DETECTION_DTYPE)
    for table in (labels, detections):
        table["t"], table["w"], table["h"] = 600_000, 40, 80
    detections["score"] = 0.9
    return {"test/test_night_0001": labels}, {"test/test_night_0001": detections}


@pytest.mark.parametrize("block", RECIPE_TESTS, ids=lambda block: Path(block.path).stem)
def test_the_tests_of_recipes_pass(block: Block) -> None:
    names: dict[str, Any] = {}
    run(block.code, names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=" ".join)
def test_recipes_are_in_the_style_of_the_house(recipes: Path, check: list[str]) -> None:
    settings = (str(PROJECT / "pyproject.toml"), "lint.isort.known-first-party=['etram_pipeline']")
    options = [word for setting in settings for word in ("--config", setting)]
    command = [sys.executable, "-m", "ruff", *check, "--no-cache", *options, "."]
    done = subprocess.run(command, cwd=recipes, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_detector_of_the_recipe_learns_detects_and_is_saved(tmp_path: Path) -> None:
    config = DetectorConfig.model_validate({"kind": "frame_cnn", "dim": 4})
    detector = config.build(in_channels=4, num_classes=3)
    target = Targets(torch.tensor([[4.0, 6.0, 30.0, 28.0]]), torch.tensor([2]))
    batch = SequenceBatch(
        frames=torch.randint(0, 10, (2, 2, 4, 48, 64), dtype=torch.uint8),
        starts=torch.tensor([True, True]),
        keyframes=torch.tensor([[0, 0], [1, 1]]),
        targets=(target, target),
    )
    losses, state = detector.losses(batch, ())
    torch.stack([loss for name, loss in losses.items() if name[:4] != "num_"]).sum().backward()
    assert all(weight.grad is not None for weight in detector.parameters())
    found, state = detector.eval().detect(batch, state, SuppressionSettings(score_threshold=0))
    assert len(found) == len(batch.keyframes)
    path = tmp_path / "detector.ckpt"
    write_checkpoint(path, Checkpoint(detector, config, 4, ("a", "b", "c")))
    assert read_checkpoint(path).detector_config == config


def test_the_protocol_of_the_recipe_is_new_and_evaluates() -> None:
    (block,) = [block for block in blocks(RECIPES, "python") if not block.path]
    names: dict[str, Any] = {"Protocol": Protocol}
    run(f"protocol = {block.code}", names)
    assert names["protocol"].name not in NAMED
    metrics = evaluate(*example_tables(), names["protocol"], class_names=etram.CLASSES)
    assert metrics.overall["AP_50"] == pytest.approx(1)


@pytest.fixture
def finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that snippets read, smaller than a run makes them."""
    monkeypatch.chdir(tmp_path)
    scene = {"height": 64, "width": 128, "duration_s": 3.1}
    settings = {"num_train": 0, "num_val": 0, "num_test": 1, "scene": scene}
    recordings = SceneRecordingsDataset(path="data/01_raw/scene", settings=settings).load()
    label_files = SceneLabelsDataset(path="data/01_raw/scene", settings=settings).load()
    dataset = DatasetSettings(height=64, width=128, class_names=etram.CLASSES)
    labels = Path("data/03_primary/labelled_frames")
    jobs = label_jobs(recordings, label_files, dataset, LabelSettings())
    build(labels, LABELS, jobs, InlineExecutor())
    encoding = encode_jobs(
        recordings,
        LabelStore(labels),
        dataset,
        LabelAligned(),
        StackedHistogram(),
        StorageSettings(),
    )
    build(Path("data/02_intermediate/histograms"), REPRESENTATIONS, encoding, InlineExecutor())
    config = DetectorConfig.model_validate(SMALL_RVT)
    checkpoint = Checkpoint(config.build(20, len(etram.CLASSES)), config, 20, etram.CLASSES)
    write_checkpoint(Path("data/06_models/detector.ckpt"), checkpoint)
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "src").mkdir()  # as Kedro wants it
    return tmp_path


def test_snippets_run_one_after_the_other(finished_run: Path) -> None:
    names: dict[str, Any] = {}
    for block in blocks("docs/python-api.md", "python"):
        run(block.code, names)
    assert names["predictions"].shape[-1] == 5 + len(etram.CLASSES)
    assert names["metrics"].num_recordings == 1
    assert (finished_run / "window.png").exists()
    assert (finished_run / "conf" / "experiments" / "wide.yml").exists()


def test_the_snippets_of_the_tutorial_run(finished_run: Path) -> None:
    recording = finished_run / "data" / "recording"
    recording.mkdir()
    (recording / "02_intermediate").symlink_to(finished_run / "data" / "02_intermediate")
    detections = recording / "07_model_output" / "test_day_0001_td-3f9a1c" / "test"
    detections.mkdir(parents=True)
    found = pd.DataFrame(np.zeros(1, DETECTION_DTYPE))
    found.to_parquet(detections / "test_day_0001.parquet")
    names: dict[str, Any] = {}
    for block in blocks("docs/tutorial.md", "python"):
        run(block.code, names)
    assert names["histogram"].shape == (20, 32, 64)
    assert names["detections"].equals(found)
    assert (finished_run / "window.png").exists()


def test_labels_are_written_as_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks("docs/data-formats.md", "python"):
        run(block.code, {})
    label_path = tmp_path / "street_bbox.npy"
    assert read_labels(label_path)["t"].tolist() == [100_000, 133_333]
    masks_path = find_masks(label_path)
    assert masks_path is not None
    check_masks(read_masked_labels(label_path, masks_path), 720, 1280, "street_masks.json")


def test_the_snippets_about_tracking_run() -> None:
    names: dict[str, Any] = {}
    for block in blocks("docs/tracking.md", "python"):
        run(block.code, names)
    assert names["rows"]["track_id"].tolist() == names["same"]["track_id"].tolist() == [1]
    assert names["differences"]["HOTA"].verdict == "undecided"


def test_the_programs_about_deployment_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_street(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks("docs/deployment.md", "python"):
        run(block.code, names)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) > 100
    assert "ms old" in printed
    assert names["live"].report().windows == 20
    assert names["window"].stop_us == 950_000  # the last one ends with the stream


def test_the_site_file_of_the_page_is_read(tmp_path: Path) -> None:
    (text,) = [block.code for block in blocks("docs/traffic.md", "") if "version: 1" in block.code]
    (tmp_path / "site.yml").write_text(text)
    site = read_site(tmp_path / "site.yml")
    assert list(site.lines) == ["north"]
    assert site.ground is not None
    assert fit_homography(site.ground).residuals_m.max() < LARGE_RESIDUAL_M


def test_the_evaluation_snippet_runs() -> None:
    labels, detections = example_tables()
    same = evaluate(labels, detections, "etram_8class", etram.CLASSES)
    names = {"labels": labels, "detections": detections, "class_names": etram.CLASSES}
    block, *_ = blocks("docs/evaluation.md", "python")
    run(block.code, {**names, "before": same, "after": same})


def test_the_operating_point_snippet_runs() -> None:
    labels, detections = example_tables()
    val = {"val_labels": labels, "val_detections": detections}
    of_test = {"labels": labels, "detections": detections, "class_names": etram.CLASSES}
    _, block, *_ = blocks("docs/evaluation.md", "python")
    run(block.code, {**val, **of_test})


def test_confirmed_suspects_are_corrected_as_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = np.zeros(6, LABEL_DTYPE)
    labels["t"], labels["track_id"] = [33_333, 66_666, 100_000] * 2, [7] * 3 + [8] * 3
    np.save("test_day_0002_bbox.npy", labels)
    (tmp_path / "data/08_reporting").mkdir(parents=True)
    rows = {"rank": [1, 4], "kind": ["wrong_class", "ghost_label"], "class_found": ["car", None]}
    times = {"start_s": [0.033333, 0.066666], "stop_s": [0.066666, 0.1], "track_id": [7.0, 8.0]}
    pd.DataFrame(rows | times).to_csv("data/08_reporting/label_suspects.csv")
    (block,) = [b for b in blocks("docs/evaluation.md", "python") if "suspects" in b.code]
    run(block.code, {"class_names": etram.CLASSES})
    corrected = np.load("test_day_0002_bbox.npy")
    assert corrected["track_id"].tolist() == [7, 7, 7, 8]
    assert corrected["class_id"].tolist() == [etram.CLASSES.index("car")] * 2 + [0, 0]


def test_the_metric_of_the_recipe_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, metric = blocks("docs/evaluation.md", "python")
    monkeypatch.setattr(family, "__path__", [*family.__path__, str(tmp_path)])
    (tmp_path / "recipe_error.py").write_text(metric.code.replace("count_error", "recipe_error"))
    (choice,) = [b for b in blocks("docs/evaluation.md", "yaml") if "count_error" in b.code]
    parameters = yaml.safe_load(choice.code.replace("count_error", "recipe_error"))["evaluate"]
    (protocol,) = EvaluateSettings.model_validate(parameters).protocols
    labels, detections = example_tables()
    metrics = evaluate(labels, detections, protocol, etram.CLASSES)
    assert metrics.overall["recipe_error"] == 0
    assert metrics.overall["AP_50"] == pytest.approx(1)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_run_and_are_stored_without_outputs(
    notebook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    names: dict[str, Any] = {}
    for cell in json.loads((PROJECT / "notebooks" / notebook).read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            run("".join(cell["source"]), names)
    assert names
