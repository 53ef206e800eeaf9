from pathlib import Path

import click
import pytest
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from pydantic import ValidationError
from tests.conftest import OpenSession

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.session import explain, with_absolute_paths
from etram_pipeline.yaml_files import ConfigurationError


class Training(Settings):
    steps: int = 3


@pytest.mark.parametrize(
    ("options", "parameters", "message"),
    [
        ({"pipeline_names": ["repot"]}, {}, "unknown pipeline 'repot'; did you mean 'report'"),
        ({}, {"trian": {"max_steps": 1}}, "unknown parameter 'trian'; did you mean 'train'"),
        ({}, {"train": {"max_step": 1}}, r"train\.max_step: unknown key; did you mean 'max_steps'"),
        ({}, {"checkpoint": "x.ckpt"}, "would make a new checkpoint"),
        ({}, {"preset": "rvt_smal"}, "unknown preset 'rvt_smal'; did you mean 'rvt_small'"),
        ({"pipeline_names": ["predict"]}, {}, "run `kedro run --pipelines train`"),
        ({"pipeline_names": ["apply"]}, {}, r"detector\.ckpt does not exist: run `kedro run"),
        ({"pipeline_names": ["apply"]}, {"checkpoint": "x.ckpt"}, r"x\.ckpt does not exist: check"),
        ({"pipeline_names": ["train"]}, {}, "run `kedro run --pipelines preprocess`"),
    ],
)
def test_what_the_user_can_put_right_is_said_in_one_message(
    session: OpenSession, options: dict[str, list[str]], parameters: dict[str, object], message: str
) -> None:
    with (
        session(mlflow=False, **parameters) as active,
        pytest.raises(click.ClickException, match=message),
    ):
        active.run(**options)


def test_an_unknown_environment_is_said_in_one_message(session: OpenSession) -> None:
    with (
        session("nope") as active,
        pytest.raises(click.ClickException, match="unknown environment 'nope'; known: base"),
    ):
        active.run()


def test_our_own_error_is_found_inside_that_of_kedro() -> None:
    error = DatasetError("Failed while loading data from dataset X")
    error.__cause__ = StoreError("the store is gone")
    assert explain(error) == "the store is gone"


def test_our_own_error_is_one_message_whatever_it_was_made_of(
    session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_session: object, **_options: object) -> None:
        raise StoreError("the cluster does not start") from TypeError("unexpected argument")

    monkeypatch.setattr(KedroSession, "run", run)
    with (
        session(mlflow=False) as active,
        pytest.raises(click.ClickException, match="does not start"),
    ):
        active.run()


def test_faults_of_settings_are_told_without_the_wrapping_of_pydantic() -> None:
    error = DatasetError("An exception occurred when parsing config")
    with pytest.raises(ValidationError) as caught:
        Training.model_validate({"step": 1})
    error.__cause__ = caught.value
    assert explain(error) == "step: unknown key; did you mean 'steps'?"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("../a.raw", "a.raw"),
        ("a b.raw", "sub/a b.raw"),
        ("./x:1=é.raw", "sub/x:1=é.raw"),
        ("..", "."),
        (".", "sub"),
        ("007", "sub/007"),
    ],
)
def test_paths_of_the_command_line_start_at_the_working_directory(
    tmp_path: Path, text: str, path: str
) -> None:
    (tmp_path / "sub").mkdir()
    given = {
        "recording": text,
        "checkpoint": text,
        "train": {"start_from": text, "seed": 1},
        "detector": {"auxiliary": {"teacher": text, "box_weight": 1.0}, "input_size": None},
    }
    expected = str(tmp_path / path)
    assert with_absolute_paths(tmp_path / "sub", given) == {
        "recording": expected,
        "checkpoint": expected,
        "train": {"start_from": expected, "seed": 1},
        "detector": {"auxiliary": {"teacher": expected, "box_weight": 1.0}, "input_size": None},
    }


def test_a_tilde_is_the_home_folder_and_a_link_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link.raw").symlink_to("other.raw")
    found = with_absolute_paths(Path("/"), {"recording": "~/link.raw"})
    assert found == {"recording": str(tmp_path / "link.raw")}


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="`checkpoint` is empty"):
        with_absolute_paths(Path("/"), {"checkpoint": " "})
