"""Which runs may go on side by side."""

import os
import re
from collections.abc import Collection
from pathlib import Path

import click
import pytest
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from tests.conftest import OpenSession
from tests.core.test_locks import other_process

from etram_pipeline.core.locks import Access, held
from etram_pipeline.run_locks import Locks, accesses

ALL = "__default__"


def run_accesses(
    session: OpenSession, names: Collection[str], env: str | None = None, **params: object
) -> list[Access]:
    """What `kedro run --pipelines` locks."""
    with session(env, **params) as active:
        catalog = active.load_context().catalog
    return accesses(sum((pipelines[name] for name in names), Pipeline([])), catalog)


def clash(one: Collection[Access], other: Collection[Access]) -> set[str]:
    """Names of what one run has and keeps the other from."""
    alone = {(a.path, b.path) for a in one for b in other if not (a.shared and b.shared)}
    return {a.name for a, b in alone if a == b}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (["train"], ["train"], {"detector.ckpt", "detector.ckpt.history.csv"}),
        (["train"], ["predict"], {"detector.ckpt"}),
        (["predict"], ["evaluate"], {"detections"}),
        (
            ["evaluate"],
            ["evaluate"],
            {
                *("metrics.json", "matches", "tracks", "track_metrics.json", "count_metrics.json"),
                *("errors.json", "calibration.json", "breakdowns.csv", "breakdowns.json"),
                *("mistakes.csv", "label_suspects.csv"),
            },
        ),
        (["track"], ["count"], {"tracks"}),
        (
            ["count"],
            ["count"],
            {
                *("crossings.csv", "counts.csv", "speeds.csv", "turning_movements.csv"),
                *("stays.csv", "zones.csv", "zone_movements.csv"),
                *("files", "site.html", "traffic.html"),
            },
        ),
        (["annotate"], ["annotate"], {"annotated.mp4"}),
        (["export"], ["export"], {"exported"}),
        (["preprocess"], ["export"], {"histograms", "labelled_frames"}),
        (["evaluate"], ["annotate"], {"tracks"}),
        (["train"], ["export"], set()),
        (["quality"], ["train", "predict", "evaluate"], set()),
    ],
)
def test_runs_that_write_what_another_uses_clash(
    session: OpenSession, one: list[str], other: list[str], expected: set[str]
) -> None:
    assert clash(run_accesses(session, one), run_accesses(session, other)) == expected


@pytest.mark.parametrize("name", ["evaluate", "report", "predict", "train", "preprocess", "apply"])
def test_a_run_of_everything_has_all_that_another_uses(session: OpenSession, name: str) -> None:
    everything, some = run_accesses(session, [ALL]), run_accesses(session, [name])
    assert not any(need.shared for need in everything)
    assert {need.path for need in some} <= {need.path for need in everything}


def test_runs_with_results_of_their_own_share_what_was_preprocessed(session: OpenSession) -> None:
    names = ["train", "predict", "evaluate", "report"]
    one, other = (run_accesses(session, names, results=f"runs/{seed}") for seed in (21, 22))
    assert clash(one, other) == set()
    assert clash(one, run_accesses(session, names)) == set()
    assert {need.path for need in one if need.shared} == {
        need.path for need in other if need.shared
    }
    assert clash(one, run_accesses(session, ["preprocess"])) == {
        "histograms",
        "labelled_frames",
        "frames.csv",
        "quality.csv",
    }


def test_runs_of_other_data_or_environments_do_not_clash(session: OpenSession) -> None:
    base = run_accesses(session, [ALL])
    assert clash(base, run_accesses(session, [ALL], data="elsewhere")) == set()
    assert clash(base, run_accesses(session, [ALL], "etram")) == set()


def test_raw_data_is_not_locked(session: OpenSession) -> None:
    names = {need.path.name for need in run_accesses(session, [ALL])}
    assert {"scene", "trainings"}.isdisjoint(names)
    assert {"detections", "metrics.json"} <= names


def test_a_second_run_is_refused_before_anything_is_computed(
    session: OpenSession, project: Path
) -> None:
    histograms = project / "data/02_intermediate/histograms"
    with (
        other_process(histograms) as pid,
        session() as active,
        pytest.raises(click.ClickException) as told,
    ):
        active.run(pipeline_names=["preprocess"])
    assert re.search(
        rf"another run is using {histograms}, which this one writes \(process {pid} on .*\): "
        r"wait until .* `--params results=…`",
        told.value.message,
    )
    assert not (project / "mlflow.db").exists()


def test_all_is_given_back_when_a_run_ends(session: OpenSession, project: Path) -> None:
    metrics = Access(project / "data/08_reporting/metrics.json")
    locks = Locks()
    with session() as active:
        catalog = active.load_context().catalog
    locks.before_pipeline_run(pipelines["evaluate"], catalog)
    assert f"process {os.getpid()} on" in metrics.lock.read_text()
    locks.release()
    with held(metrics, "wait"):
        pass


def test_a_refused_run_keeps_nothing(session: OpenSession, project: Path) -> None:
    with session() as active:
        catalog = active.load_context().catalog
    with other_process(project / "data/08_reporting/metrics.json"), pytest.raises(RuntimeError):
        Locks().before_pipeline_run(pipelines[ALL], catalog)
    with held(Access(project / "data/06_models/detector.ckpt"), "wait"):
        pass
