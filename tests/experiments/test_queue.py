"""The end of runs in the queue."""

import logging

import pytest
from tests.experiments.conftest import Write, schedule

from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.queue import Turn
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.experiments.work import Work, data_of


def test_a_lost_store_does_not_end_the_queue(
    own: Project,
    write: Write,
    registry: Registry,
    lost: Registry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write("one", "seeds: [0]")
    experiment = own.described("one")
    work = Work(own, "one", experiment, data_of(own, experiment), (0,), {})
    turn = Turn(work, 0, lost, schedule(own, registry, "one"), ())
    with caplog.at_level(logging.WARNING):
        assert turn.end(0).startswith("FINISHED")
    assert "one seed=0: its status cannot be written: MLflow store" in caplog.text
