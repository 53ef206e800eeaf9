import click
import pytest
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from pydantic import ValidationError
from tests.conftest import OpenSession

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.session import explain
from etram_pipeline.training.settings import TrainSettings


class Training(Settings):
    steps: int = 3


@pytest.mark.parametrize(
    ("options", "parameters", "message"),
    [
        ({"pipeline_names": ["repot"]}, {}, "unknown pipeline 'repot'; did you mean 'report'"),
        ({}, {"trian": {"max_steps": 1}}, "unknown parameter 'trian'; did you mean 'train'"),
        ({}, {"train": {"max_step": 1}}, "unknown key 'max_step'; did you mean 'max_steps'"),
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
        session(track=False, **parameters) as active,
        pytest.raises(click.ClickException, match=message),
    ):
        active.run(**options)


def test_an_unknown_environment_is_said_in_one_message(session: OpenSession) -> None:
    with (
        session("nope") as active,
        pytest.raises(click.ClickException, match="not a valid directory"),
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
        session(track=False) as active,
        pytest.raises(click.ClickException, match="does not start"),
    ):
        active.run()


def test_asides_of_pydantic_are_left_out() -> None:
    with pytest.raises(ValidationError) as caught:
        Training.model_validate({"step": 1})
    assert explain(caught.value).endswith("unknown key 'step'; did you mean 'steps'? known: steps")


def test_a_wrong_value_is_told_with_what_is_wanted() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainSettings.model_validate({"lanes": 0, "freeze": "backbone.", "optimizer": 5})
    told = explain(caught.value)
    assert "lanes\n  Input should be greater than or equal to 1, not 0" in told
    assert "freeze\n  Input should be a list, not 'backbone.'" in told
    assert "optimizer\n  Input should be a mapping, not 5" in told
