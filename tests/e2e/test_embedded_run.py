"""The whole project on the embedded scene, as a newcomer runs it; asked for with `-m e2e`."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.e2e.conftest import kedro

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def first_run(project: Path) -> str:
    return kedro(project, "run")


@pytest.mark.usefixtures("first_run")
def test_the_detector_finds_road_users_it_never_saw(project: Path) -> None:
    metrics = json.loads((project / "data/08_reporting/metrics.json").read_text())["etram_8class"]
    assert metrics["protocol"]["class_aware"]
    assert metrics["overall"]["AP_50"] >= 0.8


@pytest.mark.usefixtures("first_run")
def test_scores_are_nearer_to_probabilities_after_scaling(project: Path) -> None:
    found = json.loads((project / "data/08_reporting/calibration.json").read_text())["etram_8class"]
    assert found["calibration"]["scaling"]["kind"] == "temperature"
    assert found["scaled_overall"]["ece"] < 0.6 * found["overall"]["ece"]


@pytest.mark.usefixtures("first_run")
def test_mistakes_have_a_main_kind_and_objects_that_stand_are_hard(project: Path) -> None:
    reporting = project / "data/08_reporting"
    costs = json.loads((reporting / "errors.json").read_text())["etram_8class"]["overall"]
    assert max(costs["gains"].values()) > 0.01
    found = json.loads((reporting / "breakdowns.json").read_text())
    of_time = {
        name.split("/")[4]: value for name, value in found.items() if "/moving_time/" in name
    }
    assert of_time["not yet"] < of_time["1 to 2"]


@pytest.mark.usefixtures("first_run")
def test_road_users_are_followed_and_counted(project: Path) -> None:
    reporting = project / "data/08_reporting"
    scores = json.loads((reporting / "track_metrics.json").read_text())
    assert scores["etram_tracks_any"]["overall"]["HOTA"] >= 0.6
    counts = json.loads((reporting / "count_metrics.json").read_text())["grid"]["overall"]
    assert counts["true"] > 100
    assert counts["recall"]["value"] >= 0.9
    assert counts["precision"]["value"] >= 0.7


@pytest.mark.usefixtures("first_run")
def test_traffic_engineers_get_tables_pages_and_files(project: Path) -> None:
    reporting = project / "data/08_reporting"
    rows = (reporting / "traffic/counts.csv").read_text().splitlines()
    assert rows[0] == (
        "recording,bin_min,bin_start_s,clock,observed_s,line,direction,class,count,per_hour"
    )
    assert sum(int(row.split(",")[-2]) for row in rows[1:] if row.split(",")[1] == "1") > 50
    assert "test/test_night_0001" in (reporting / "traffic.html").read_text()
    assert "site.yml" in (reporting / "site.html").read_text()
    endings = {path.name.partition(".")[2] for path in (reporting / "traffic/files").rglob("*.*")}
    assert {"mot.txt", "geojson", "ottrk", "parquet", "png", "pgw", "otflow"} <= endings


@pytest.mark.usefixtures("first_run")
def test_a_person_gets_a_page_and_a_video(project: Path) -> None:
    reporting = project / "data/08_reporting"
    page = (reporting / "report.html").read_text()
    assert "<video" in page
    assert page.count('<div class="strip"') >= 12
    assert len(page) < 6_000_000
    assert b"ftyp" in (reporting / "annotated.mp4").read_bytes()[:32]
    assert "nothing to report" in (reporting / "quality.html").read_text()


@pytest.mark.usefixtures("first_run")
def test_mistakes_and_suspected_label_errors_are_listed(project: Path) -> None:
    mistakes = pd.read_csv(project / "data/08_reporting/mistakes.csv")
    assert set(mistakes["kind"]) >= {"class", "location", "both", "duplicate", "background"}
    assert mistakes["cost"].is_monotonic_decreasing
    suspects = pd.read_csv(project / "data/08_reporting/label_suspects.csv")
    assert suspects["suspicion"].between(0, 1).all()
    assert suspects["rank"].tolist() == list(range(1, len(suspects) + 1))


def times_of_change(project: Path) -> dict[Path, int]:
    """Of every file that simulation and preprocessing made."""
    folders = [project / "data" / name for name in ("01_raw", "02_intermediate", "03_primary")]
    files = [path for folder in folders for path in folder.rglob("*.*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files if not path.name.endswith(".lock")}


@pytest.mark.usefixtures("first_run")
def test_a_second_run_skips_what_is_up_to_date(project: Path) -> None:
    before = times_of_change(project)
    checkpoint = (project / "data/06_models/detector.ckpt").read_bytes()
    kedro(project, "run")
    assert len(before) > 100
    assert times_of_change(project) == before
    assert (project / "data/06_models/detector.ckpt").read_bytes() == checkpoint


@pytest.mark.usefixtures("first_run")
def test_each_run_is_one_finished_mlflow_run(project: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("etram_pipeline")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], order_by=["start_time"])
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    first = runs[0].data
    assert first.params["representation.kind"] == "stacked_histogram"
    assert {"test/etram_8class/AP", "test/etram_8class/AP_50"} <= first.metrics.keys()
    assert {"test/etram_tracks_8class/HOTA", "test/grid/count_error"} <= first.metrics.keys()
    assert any(name.startswith("train/") for name in first.metrics)
    assert first.tags["quality/problems"] == "0"
