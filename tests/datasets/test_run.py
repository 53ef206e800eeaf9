"""Facts of the run at hand."""

import sys

import pytest

from etram_pipeline.datasets.run import RunFactsDataset, masked


def test_a_run_says_when_by_what_command_and_from_which_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/kedro", "run", "--params", "train.seed=3"])
    facts = RunFactsDataset().load()
    assert facts["command"] == "kedro run --params train.seed=3"
    assert facts["date"].endswith(" UTC")
    assert facts["commit"]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            "kedro run --params uri=https://me:word@host/x",
            "kedro run --params uri=https://***@host/x",
        ),
        (
            "kedro run --params db.password=abc,lanes=2",
            "kedro run --params db.password=***,lanes=2",
        ),
        ("kedro run --params API_TOKEN=abc", "kedro run --params API_TOKEN=***"),
        ("kedro run --params train.seed=3", "kedro run --params train.seed=3"),
    ],
)
def test_secrets_are_masked(command: str, shown: str) -> None:
    assert masked(command) == shown
