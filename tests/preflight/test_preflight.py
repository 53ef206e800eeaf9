"""What a run as a whole is told."""

import logging
from pathlib import Path

import click
import pytest
from tests.conftest import OpenSession
from tests.preflight.conftest import Find, Save, look


def test_a_clean_default_run_passes_without_a_word_and_simulates_nothing(
    session: OpenSession, project: Path
) -> None:
    assert look(session, ("__default__",), None, {}) == []
    assert not (project / "data").exists()


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("names", "unread"),
    [
        (("preprocess",), ("train", "predict", "evaluate")),
        (("train",), ("predict", "evaluate")),
        (("train", "predict", "evaluate"), ()),
        (("preprocess", "train", "predict", "evaluate", "report"), ()),
    ],
)
def test_what_fits_passes_without_a_word(
    found: Find, names: tuple[str, ...], unread: tuple[str, ...]
) -> None:
    assert found(*names, **dict.fromkeys(unread)) == []


@pytest.mark.usefixtures("stores")
def test_all_faults_are_told_at_once_and_warnings_go_to_the_log(
    session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = {
        "representation": {"bins": 5},
        "labels": {"first_frame_ms": 700},
        "quality": {"gap_ms": 7},
    }
    with (
        session("etram", mlflow=False, **parameters) as active,
        caplog.at_level(logging.WARNING),
        pytest.raises(click.ClickException) as caught,
    ):
        active.run(pipeline_names=["train", "predict", "evaluate"])
    first, *lines = caught.value.message.splitlines()
    assert "faults were found before the run began:" in first
    assert int(first.split()[0]) == len(lines)
    assert any("representation.bins is 5" in line and "made with 4" in line for line in lines)
    assert any("labels.first_frame_ms is 700" in line for line in lines)
    assert "quality.gap_ms is read by no node" in caplog.text


def test_a_single_fault_is_one_line(session: OpenSession, save_checkpoint: Save) -> None:
    path = save_checkpoint()
    with (
        session(mlflow=False, checkpoint=str(path)) as active,
        pytest.raises(click.ClickException, match=r"^this run would make a new checkpoint[^\n]*$"),
    ):
        active.run()
