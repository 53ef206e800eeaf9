"""Where recordings are computed, as `kedro run` chooses it: the result is the same everywhere."""

import logging
import os
import shutil
from pathlib import Path

import click
import pytest
import yaml
from tests.conftest import PROJECT

from etram_pipeline.builds.executors.dask import Config as DaskConfig
from etram_pipeline.session import Session

SCENE = {
    "num_train": 2,
    "num_val": 1,
    "num_test": 1,
    "scene": {"height": 96, "width": 160, "duration_s": 1.0},
}


@pytest.fixture
def conf(project: Path) -> Path:
    """The real configuration, with a scene of four small recordings."""
    conf = Path(shutil.copytree(PROJECT / "conf", project / "conf"))
    path = conf / "base" / "catalog.yml"
    catalog = yaml.safe_load(path.read_text())
    for name in ("recordings", "label_files"):
        catalog[name]["settings"] = SCENE
    path.write_text(yaml.safe_dump(catalog))
    return conf


def preprocess(conf: Path, env: str = "local", **params: object) -> None:
    """Run what `kedro run --pipelines preprocess` runs."""
    with open_session(conf, env, {"mlflow": False, **params}) as session:
        session.run(pipeline_names=["preprocess"])


def open_session(conf: Path, env: str, params: dict[str, object]) -> Session:
    session = Session.create(conf.parent, env=env, conf_source=str(conf), runtime_params=params)
    assert isinstance(session, Session)
    return session


def results(conf: Path) -> dict[str, bytes]:
    """All that preprocessing made, and nothing that only serves to lock it."""
    data = conf.parent / "data"
    return {
        str(path.relative_to(data)): path.read_bytes()
        for folder in ("02_intermediate", "03_primary")
        for path in sorted((data / folder).rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def forget(conf: Path) -> None:
    for folder in ("02_intermediate", "03_primary"):
        shutil.rmtree(conf.parent / "data" / folder)


@pytest.mark.slow
def test_a_dask_cluster_makes_the_same_bytes_and_is_started_once(
    conf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("distributed")
    preprocess(conf, executor="inline")
    inline = results(conf)
    forget(conf)

    with caplog.at_level(logging.INFO):
        preprocess(conf, "dask")

    assert results(conf) == inline
    assert len([name for name in inline if name.endswith(".h5")]) == 4
    assert caplog.text.count("started dask.distributed.LocalCluster") == 1
    caplog.clear()
    preprocess(conf, "dask")
    assert "started" not in caplog.text  # for nothing is to compute


@pytest.mark.slow
def test_a_damaged_recording_is_told_once_and_the_run_fails(
    conf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    preprocess(conf, executor="inline")
    whole = results(conf)
    path = conf.parent / "data/01_raw/scene/val/val_day_0001_td.h5"
    content, times = path.read_bytes(), path.stat()
    half = len(content) // 2  # deep inside, where no check before the run looks
    path.write_bytes(content[:half] + bytes(2000) + content[half + 2000 :])
    forget(conf)

    with pytest.raises(
        click.ClickException, match=r"1 of 4 recordings failed.*\n  val/val"
    ) as told:
        preprocess_as_it_is(conf)
    assert told.value.exit_code == 1
    assert "val/val_day_0001 failed: RecordingError: " in caplog.text
    assert len([name for name in results(conf) if name.endswith(".h5")]) == 3

    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    preprocess(conf, executor="inline")
    assert results(conf) == whole


def preprocess_as_it_is(conf: Path) -> None:
    """Preprocess the recordings in the folder of the scene, without looking after them."""
    path = conf / "local" / "catalog.yml"
    path.parent.mkdir(exist_ok=True)
    folder = {"path": str(conf.parent / "data/01_raw/scene")}
    entries = {
        "recordings": {"type": "etram_pipeline.datasets.recordings.RecordingsDataset", **folder},
        "label_files": {"type": "etram_pipeline.datasets.recordings.LabelFilesDataset", **folder},
    }
    path.write_text(yaml.safe_dump(entries))
    try:
        preprocess(conf, executor="inline")
    finally:
        path.unlink()


def test_an_executor_that_does_not_exist_is_told_before_anything_runs(conf: Path) -> None:
    with pytest.raises(click.ClickException, match="unknown executor 'slrm'; did you mean 'slurm'"):
        preprocess(conf, executor="slrm")


def test_a_misspelt_key_of_an_executor_is_told_before_anything_runs(conf: Path) -> None:
    with pytest.raises(click.ClickException, match="workes: unknown key; did you mean 'workers'"):
        preprocess(conf, executor={"workes": 3})
    assert not (conf.parent / "data").exists()


@pytest.mark.parametrize("env", ["dask", "slurm"])
def test_a_cluster_may_be_used_with_other_data(conf: Path, env: str) -> None:
    with open_session(conf, "etram", {"executor": env}) as session:
        catalog = session.load_context().catalog
    assert isinstance(catalog["histograms"].executor, DaskConfig)
    assert "data/etram" in str(catalog["histograms"]._path)
