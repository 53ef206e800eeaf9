"""Facts of the run at hand."""

import sys

import pytest

from etram_pipeline.datasets.run import RunFactsDataset


def test_a_run_says_when_by_what_command_and_from_which_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/kedro", "run", "--params", "train.seed=3"])
    facts = RunFactsDataset().load()
    assert facts["command"] == "kedro run --params train.seed=3"
    assert facts["date"].endswith(" UTC")
    assert facts["commit"]


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["kedro", "run", "--params", "db.password=abc,lanes=2"])
    assert "db.password=***,lanes=2" in RunFactsDataset().load()["command"]
