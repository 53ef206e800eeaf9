"""A store that fails, comes back or stays away loses nothing and stops nothing."""

import logging
import threading
import time
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any, cast

import pytest
from mlflow.tracking import MlflowClient

from etram_pipeline.core.locks import Access, held
from etram_pipeline.mlflow_logging import run_log
from etram_pipeline.mlflow_logging.run_entries import (
    RunEntry,
    join_metrics,
    metrics_entry,
    send_unsent,
)
from etram_pipeline.mlflow_logging.run_log import RunLog


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")


@pytest.fixture
def run_id(client: MlflowClient, tmp_path: Path) -> str:
    experiment = client.create_experiment(tmp_path.name + str(tmp_path), tmp_path.as_uri())
    return str(client.create_run(experiment).info.run_id)


class Store:
    """A store that can be switched off, in front of a real one."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        self.is_up = True
        self.calls = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # methods of the client
        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            self.calls += 1
            if not self.is_up:
                raise ConnectionError("connection refused by https://me:hunter22@host")
            return getattr(self.client, name)(*args, **options)

        return call


@pytest.fixture
def store(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    store = Store(client)
    monkeypatch.setattr(run_log, "open_client", lambda _uri: store)
    return store


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_a_store_misses_is_sent_when_it_is_back(
    store: Store, run_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = RunLog(run_id, "x://me:hunter22@host", tmp_path / "unsent")
    log.write(metrics_entry({"loss": 3}, 1))
    store.is_up = False
    for step in range(2, 500):
        log.write(metrics_entry({"loss": 1 / step}, step))
    log.write(RunEntry(text="hello", place="a.txt"))
    calls = store.calls
    assert calls < 5
    store.is_up = True
    log.close("FINISHED")
    assert store.calls < calls + 6
    history = store.client.get_metric_history(run_id, "loss")
    assert sorted(point.step for point in history) == list(range(1, 500))
    assert [file.path for file in store.client.list_artifacts(run_id)] == ["a.txt"]
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert not (tmp_path / "unsent").exists()
    (warning,) = warnings(caplog)
    assert "hunter22" not in warning


def test_what_a_store_never_takes_is_kept_and_sent_by_the_next_run(
    store: Store, run_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unsent, uri = tmp_path / "unsent", "x://me:hunter22@host"
    log = RunLog(run_id, uri, unsent)
    store.is_up = False
    log.write(metrics_entry({"loss": 3}, 1))
    made = tmp_path / "weights.ckpt"
    made.write_text("of this run")
    log.write(RunEntry(path=str(made), place="checkpoint"))
    log.write(RunEntry(params=(("a", "1"),), tags=(("t", "x"),), dataset=("d", "0", "s", "node")))
    log.close("KILLED")
    log.close("FINISHED")
    made.write_text("of a later run")
    (kept,) = (unsent / run_id).glob("*.json")
    assert "hunter22" not in kept.read_text()
    assert len(warnings(caplog)) == 2

    send_unsent(store.client, "sqlite:///another.db", unsent)
    assert kept.exists()
    send_unsent(store.client, uri, unsent)
    run = store.client.get_run(run_id)
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"loss": 3}
    assert run.data.params == {"a": "1"}
    assert run.data.tags["t"] == "x"
    copy = store.client.download_artifacts(run_id, "checkpoint/weights.ckpt")
    assert Path(copy).read_text() == "of this run"
    assert not (unsent / run_id).exists()


def test_a_store_that_is_away_again_is_asked_once(
    store: Store, run_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unsent = tmp_path / "unsent"
    store.is_up = False
    for step in range(3):
        log = RunLog(run_id, "x", unsent)
        log.write(metrics_entry({"loss": 3}, step))
        log.close()
    calls, told = store.calls, len(warnings(caplog))
    send_unsent(cast("MlflowClient", store), "x", unsent)
    assert (store.calls - calls, len(warnings(caplog)) - told) == (1, 1)
    assert len(list((unsent / run_id).glob("*.json"))) == 3


def test_what_another_run_is_sending_is_left_to_it(
    store: Store, run_id: str, tmp_path: Path
) -> None:
    unsent = tmp_path / "unsent"
    log = RunLog(run_id, "x", unsent)
    store.is_up = False
    log.write(metrics_entry({"loss": 3}, 1))
    log.close()
    store.is_up = True
    with held(Access(unsent, inside=True), "wait"):
        send_unsent(store.client, "x", unsent)
        assert list((unsent / run_id).glob("*.json"))
    send_unsent(store.client, "x", unsent)
    assert not (unsent / run_id).exists()
    assert len(store.client.get_metric_history(run_id, "loss")) == 1


def test_what_a_store_refuses_holds_up_nothing(
    store: Store, run_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unsent = tmp_path / "unsent"
    log = RunLog(run_id, "x", unsent)
    log.write(RunEntry(params=(("a", "1"),)))
    log.write(RunEntry(params=(("a", "2"),)))
    log.write(RunEntry(path=str(tmp_path / "missing")))
    log.write(metrics_entry({"loss": 3}, 1))
    log.close("FINISHED")
    run = store.client.get_run(run_id)
    assert run.data.metrics == {"loss": 3}
    assert run.info.status == "FINISHED"
    send_unsent(store.client, "x", unsent)
    send_unsent(store.client, "x", unsent)
    assert [path.suffix for path in (unsent / run_id).iterdir()] == [".refused"]
    assert len(warnings(caplog)) == 3


def test_entries_after_a_refused_one_are_sent_by_the_next_run(
    store: Store, run_id: str, tmp_path: Path
) -> None:
    unsent = tmp_path / "unsent"
    log = RunLog(run_id, "x", unsent)
    log.write(RunEntry(params=(("a", "1"),)))
    log.write(RunEntry(params=(("a", "2"),)))
    store.is_up = False
    log.write(metrics_entry({"loss": 3}, 1))
    log.close("FINISHED")
    store.is_up = True
    send_unsent(store.client, "x", unsent)
    run = store.client.get_run(run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 3})
    (refused,) = (unsent / run_id).iterdir()
    assert refused.suffix == ".refused"
    assert "loss" not in refused.read_text()


def test_what_is_left_is_safe_before_the_last_attempt(
    store: Store, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsent = tmp_path / "unsent"
    log = RunLog(run_id, "x", unsent)

    def killed(_name: str) -> None:
        raise SystemExit(137)

    with monkeypatch.context() as hanging:
        hanging.setattr(Store, "__getattr__", lambda _store, name: killed(name))
        with pytest.raises(SystemExit):  # a signal, while the store does not answer
            log.write(metrics_entry({"loss": 3}, 1))
        with pytest.raises(SystemExit):
            log.close("KILLED")
    send_unsent(store.client, "x", unsent)
    run = store.client.get_run(run_id)
    assert (run.info.status, run.data.metrics) == ("KILLED", {"loss": 3})


def test_a_store_that_does_not_answer_is_waited_for_once(
    store: Store, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "_RETRY_S", 0.0)
    log = RunLog(run_id, "x", tmp_path / "unsent")
    store.is_up = False
    callers = []
    answer = Store.__getattr__

    def slow(asked: Store, name: str) -> Any:  # noqa: ANN401
        callers.append(threading.current_thread())
        return answer(asked, name)

    monkeypatch.setattr(Store, "__getattr__", slow)
    for step in range(5):
        log.write(metrics_entry({"loss": 3}, step))
        time.sleep(0.3)
    assert len(callers) > 2
    assert callers.count(threading.main_thread()) == 1
    store.is_up = True
    log.close("FINISHED")
    assert len(store.client.get_metric_history(run_id, "loss")) == 5


def test_points_are_sent_in_the_background(store: Store, run_id: str, tmp_path: Path) -> None:
    log = RunLog(run_id, "x", tmp_path / "unsent")
    for step in range(300):
        log.write_later(metrics_entry({"loss": step}, step))
    log.close()
    assert len(store.client.get_metric_history(run_id, "loss")) == 300
    assert store.calls < 30
    assert store.client.get_run(run_id).info.status == "RUNNING"


def test_a_folder_that_cannot_be_written_ends_nothing(
    store: Store, run_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "unsent").write_text("a file")
    store.is_up = False
    log = RunLog(run_id, "x", tmp_path / "unsent")
    log.close("FINISHED")
    assert "cannot be stored" in warnings(caplog)[-1]


def test_only_numbers_are_logged() -> None:
    entry = metrics_entry({"a": 1, "b": nan, "c": inf, "d": -inf, "e": -1.5})
    assert [(name, value) for name, value, _, _ in entry.metrics] == [("a", 1), ("e", -1.5)]


def test_metrics_are_joined_up_to_what_a_call_may_hold() -> None:
    entries = [metrics_entry({f"m{i}": i for i in range(400)}) for _ in range(4)]
    joined, num_joined = join_metrics([*entries[:2], RunEntry(text="x", place="y"), *entries[2:]])
    assert (len(joined.metrics), num_joined) == (800, 2)
    assert join_metrics(entries)[1] == 2
    large = metrics_entry({f"m{i}": i for i in range(2500)})
    assert join_metrics([large]) == (large, 1)
