"""What the deploy pipeline measures of an exported detector."""

from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.exported import describe, write_exported
from tests.preprocessing.recordings import preprocess, write_recordings

from etram_pipeline.datasets.deployment import DeploymentReportDataset
from etram_pipeline.deployment.latency_report import DeploymentReport
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.pipelines.deploy.latency import measure_latency
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.streaming.description import FrameShape


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> DeploymentReport:
    """Of an engine that rounds numbers and one that does not, on two recordings with labels."""
    folder = tmp_path_factory.mktemp("deploy")
    write_recordings(folder / "raw")
    preprocess(folder / "raw", folder / "store")
    histograms = RepresentationStore(folder / "store")
    stored = histograms["train/a"]
    frames = FrameShape(channels=stored.channels, height=stored.height, width=stored.width)
    about = describe(
        frames=frames, class_names=("car",), encoding=stored.encoding, downsampled_by=2
    )
    exported = write_exported(folder / "detector.onnx", about)
    latency = {
        "engines": [{"kind": "openvino", "precision": "bf16"}, {"kind": "onnxruntime"}],
        "million_events_per_s": [0.05],
        "windows": 3,
    }
    return measure_latency(
        exported,
        folder / "detector.ckpt",
        histograms,
        LabelStore(folder / "store"),
        EvaluateSettings.model_validate({"protocols": ["coco"], "split": "train"}),
        DeploySettings.model_validate({"splits": ["train"], "latency": latency}),
    )


def test_an_engine_that_rounds_is_compared_with_one_that_does_not(
    report: DeploymentReport,
) -> None:
    exact, rounding = report.scores

    assert (exact.engine, rounding.engine) == ("onnxruntime", "openvino_bf16")
    assert exact.drop == 0
    assert rounding.drop == pytest.approx(exact.average_precision - rounding.average_precision)
    assert rounding.is_accepted == (rounding.drop < 0.005)
    assert report.protocol == "coco"
    assert report.numbers()["deploy/AP/onnxruntime"] == exact.average_precision


def test_a_report_comes_back_from_its_file_with_metrics_and_a_table(
    report: DeploymentReport, tmp_path: Path
) -> None:
    dataset = DeploymentReportDataset(filepath=str(tmp_path / "deployment.json"))

    dataset.save(report)

    assert dataset.load() == report
    assert dataset.numbers(report)["deploy/latency/p50_ms"] > 0
    assert [row[0] for row in dataset.preview()["data"]] == ["openvino_bf16", "onnxruntime"]


def test_a_damaged_report_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text("{}")
    with pytest.raises(DatasetError, match="is damaged: run `kedro run --pipelines deploy`"):
        DeploymentReportDataset(filepath=str(path)).load()
