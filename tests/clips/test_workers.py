"""How many processes read clips."""

from types import SimpleNamespace

import pytest

from etram_pipeline.clips.workers import num_workers


@pytest.mark.parametrize("workers", [0, 3])
def test_workers_asked_for_are_taken(workers: int) -> None:
    assert num_workers(workers, 2**60, on_gpu=False) == workers


def test_no_process_takes_a_core_from_a_processor_that_computes() -> None:
    assert num_workers("auto", 1000, on_gpu=False) == 0
    assert num_workers("auto", 1000, on_gpu=True) <= 6


@pytest.mark.parametrize(
    ("free_batches", "num_sharing", "expected"),
    [(13, 1, 6), (12, 1, 5), (4, 1, 1), (2, 1, 0), (0, 1, 0), (14, 2, 3), (13, 2, 2)],
)
def test_there_are_as_many_workers_as_memory_to_share(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    free_batches: int,
    num_sharing: int,
    expected: int,
) -> None:
    usage = SimpleNamespace(free=free_batches * 1000)
    monkeypatch.setattr("etram_pipeline.clips.workers.num_cores", lambda: 8)
    monkeypatch.setattr("etram_pipeline.clips.workers.shutil.disk_usage", lambda _: usage)
    found = num_workers("auto", 1000, on_gpu=True, num_sharing=num_sharing)
    assert found == expected
    is_short = expected < min(6, 8 // num_sharing - 1)
    assert ("give the container more" in caplog.text) == is_short
