from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.framework.project import configure_project

from etram_pipeline.arguments import parse, read_file
from etram_pipeline.configuration import TEXT_OPTIONS
from etram_pipeline.yaml_files import ConfigurationError


@pytest.fixture(autouse=True, scope="module")
def _project() -> None:
    configure_project("etram_pipeline")


@pytest.mark.parametrize(
    "text",
    [
        *("001", "1e5", "12345678901234567890123456789012", "007", "true", "null", "1_000"),
        *("0x10", "2024-01-01", "[a]", "a: b", "12:30", "~", "a=b", "1.50", "no", "# x", "é"),
        *("a b", "$x", "*a"),
    ],
)
def test_options_of_a_run_stay_as_they_are_typed(text: str) -> None:
    words = ",".join(f"{key}={text}" for key in TEXT_OPTIONS)
    assert parse(f"mlflow=false,{words}") == {"mlflow": False} | dict.fromkeys(TEXT_OPTIONS, text)


@given(st.text(st.characters(exclude_characters=",\"'[]{}", exclude_categories=("Cc", "Cs"))))
def test_any_name_without_commas_stays_as_it_is(name: str) -> None:
    name = name.strip() or "a"
    assert parse(f"recording={name},run_name={name}") == {"recording": name, "run_name": name}


@given(st.text(st.sampled_from("a,=: [{é'1"), min_size=1))
def test_a_name_in_quotes_may_hold_anything_else(name: str) -> None:
    assert parse(f'recording="{name}",mlflow=false') == {"recording": name, "mlflow": False}


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        ("train.start_from=007", {"train": {"start_from": "007"}}),
        ("train.start_from=null", {"train": {"start_from": None}}),
        ("train.precision=32", {"train": {"precision": "32"}}),
        ("predict.device=0", {"predict": {"device": "0"}}),
        ("train.lanes=2,train.optimizer.learning_rate=1e-3",
         {"train": {"lanes": 2, "optimizer": {"learning_rate": 1e-3}}}),
        ("train.workers=2", {"train": {"workers": 2}}),
        ("dataset.class_names=[\"001\",b],mlflow=true",
         {"dataset": {"class_names": ["001", "b"]}, "mlflow": True}),
        ("executor=dask", {"executor": "dask"}),
        ("executor={kind: dask, workers: 2}", {"executor": {"kind": "dask", "workers": 2}}),
        ("executor.workers=2", {"executor": {"workers": 2}}),
        ("train={lanes: 2},train.seed=1", {"train": {"lanes": 2, "seed": 1}}),
        (" a.b = 1 , c = 2 ,", {"a": {"b": 1}, "c": 2}),
        (r'a="say \"b\", c",b=["d\"", {e: "f,g"}],c="\\"',
         {"a": 'say "b", c', "b": ['d"', {"e": "f,g"}], "c": "\\"}),
        ("a='it''s, b',c=[it's, 'it''s'],d=it's",
         {"a": "it's, b", "c": ["it's", "it's"], "d": "it's"}),
        ("", {}),
    ],
)  # fmt: skip
def test_values_have_the_type_of_their_parameter(words: str, parameters: dict[str, object]) -> None:
    assert parse(words) == parameters


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("lanes", "`lanes` in --params is not `key=value`"),
        ("recording=a,b.raw", r"`b.raw` .* quote a value that holds one"),
        ("=3", "`=3` in --params has no key"),
        ("train.lanes=[1", "lacks a closing ]"),
        ('run_name="a', 'lacks a closing "'),
        (r'mlflow=false,a=["b\"]', r'`a=\["b.*` in --params lacks a closing "'),
        ("train.lanes=a: b: c", "is not valid YAML"),
        ("train.lanes=@x", "is not valid YAML"),
        ("train=3,train.lanes=2", "both `train` and `train.lanes`"),
        ("train.lanes=2,train=3", "both `train` and a key of it"),
    ],
)
def test_what_is_no_parameter_is_told_in_one_line(words: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse(words)
    assert "\n" not in str(caught.value)


def test_text_in_a_file_of_options_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "run.yml"
    path.write_text("run: {params: {run_name: 001, train: {precision: 32, lanes: 2}}, env: etram}")

    assert read_file(path) == {
        "params": {"run_name": "001", "train": {"precision": "32", "lanes": 2}},
        "env": "etram",
    }


def test_lists_in_a_file_are_what_kedro_wants_with_commas(tmp_path: Path) -> None:
    (tmp_path / "run.yml").write_text("run: {pipelines: [train, predict], tags: a}")
    assert read_file(tmp_path / "run.yml") == {"pipelines": "train,predict", "tags": "a"}


@pytest.mark.parametrize("text", ["run: 3", "other: {}", "- a", "a", ""])
def test_a_file_without_options_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"run\.yml holds"):
        read_file(tmp_path / "run.yml")
