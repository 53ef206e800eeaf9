"""Stores of MLflow that cannot be used, and settings that are wrong."""

import os
from pathlib import Path
from typing import Any

import pytest
from kedro.io import MemoryDataset
from mlflow.tracking import MlflowClient
from tests.test_mlflow_hook import EXPERIMENT, run_logged, small_pipeline

from etram_pipeline.mlflow_logging.store import MlflowStoreError
from etram_pipeline.yaml_files import ConfigurationError


def test_a_run_that_does_not_exist_is_refused_before_the_first_node(
    project: Path, client: MlflowClient
) -> None:
    with pytest.raises(MlflowStoreError, match=r"run_id=abc: .* has no such run"):
        run_logged(project, *small_pipeline(project), run_id="abc")
    assert not (project / "made.ckpt").exists()
    assert client.search_experiments()


def test_a_store_that_cannot_be_used_stops_the_run_or_is_done_without(project: Path) -> None:
    (project / "mlflow.db").write_text("no database" * 1000)
    with pytest.raises(MlflowStoreError, match="damaged"):
        run_logged(project, *small_pipeline(project))
    assert not (project / "made.ckpt").exists()
    run_logged(project, *small_pipeline(project), when_unreachable="continue")
    assert (project / "detector.ckpt").exists()
    assert "MLFLOW_RUN_ID" not in os.environ


def test_the_link_is_on_one_line(
    project: Path, client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, catalog = small_pipeline(project)
    catalog["params:evaluate"] = MemoryDataset({"split": "test", "protocols": ["coco"]})
    run_logged(project, pipeline, catalog)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "http" in line]
    assert line.endswith("&viewStateShareKey=test-coco-AP")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    assert "mlflow.sharedViewState.test-coco-AP" in experiment.tags


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"when_unreachable": "wait"}, "when_unreachable: .*'stop' or 'continue'"),
        ({"when_unreachable": "Continue"}, "did you mean 'continue'"),
        ({"experimnt": "x"}, "experimnt: unknown key; did you mean 'experiment'"),
        ({"enabled": "perhaps"}, "enabled: must be true or false, not 'perhaps'"),
    ],
)
def test_a_wrong_setting_is_reported_in_one_line(
    project: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        run_logged(project, *small_pipeline(project), **config)
    assert str(caught.value).startswith("mlflow.yml: ")
    assert "\n" not in str(caught.value)
