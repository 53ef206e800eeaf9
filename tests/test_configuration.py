import shutil
from pathlib import Path

import fsspec
import pytest
from tests.conftest import OpenSession

from etram_pipeline import run_summary
from etram_pipeline.configuration import ConfigLoader, recording_name
from etram_pipeline.core.mappings import merge
from etram_pipeline.yaml_files import ConfigurationError


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    files = {
        "base/parameters_train.yml": "train: {optimizer: {rate: 0.1, decay: 0.2}, steps: 9}\n"
        "detector: {kind: rvt, width: 32, cell: {kind: lstm, size: 3}}\n",
        "lab/parameters.yml": "train: {steps: 5}\n",
        "presets/small.yml": "detector: {width: 16}\n",
        "presets/other.yml": "detector: {kind: frame}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def load(conf: Path, env: str = "lab", **runtime: object) -> dict[str, object]:
    loader = ConfigLoader(str(conf), env, runtime, base_env="base", default_run_env="lab")
    parameters: dict[str, object] = loader["parameters"]
    return parameters


def test_an_environment_changes_only_the_keys_it_names(conf: Path) -> None:
    assert load(conf)["train"] == {"optimizer": {"rate": 0.1, "decay": 0.2}, "steps": 5}


def test_the_command_line_has_the_last_word(conf: Path) -> None:
    assert load(conf, train={"steps": 1})["train"] == {
        "optimizer": {"rate": 0.1, "decay": 0.2},
        "steps": 1,
    }


def test_a_preset_composes_with_an_environment(conf: Path) -> None:
    parameters = load(conf, preset="small")
    assert parameters["detector"] == {
        "kind": "rvt",
        "width": 16,
        "cell": {"kind": "lstm", "size": 3},
    }
    assert parameters["train"] == {"optimizer": {"rate": 0.1, "decay": 0.2}, "steps": 5}
    assert "preset" not in parameters


@pytest.mark.parametrize("name", ["tracking.yml", "params.yaml", "notes/train.yml"])
@pytest.mark.parametrize("env", ["base", "lab"])
def test_a_file_that_no_setting_is_read_from_is_refused(conf: Path, env: str, name: str) -> None:
    path = conf / env / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("experiment: mine\n")
    with pytest.raises(ConfigurationError) as refused:
        load(conf)
    assert f"{path} is not read" in str(refused.value)
    assert "catalog, credentials, globals, parameters; rename it" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["parameters/train.yml", "train/parameters.yml", ".hidden/a.yml", "README.md"]
)
def test_files_that_are_read_or_are_no_settings_pass(conf: Path, name: str) -> None:
    path = conf / "lab" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("train: {optimizer: {rate: 0.3}}\n")
    assert load(conf)["train"]


def test_another_kind_replaces_its_block_whole(conf: Path) -> None:
    assert load(conf, preset="other")["detector"] == {"kind": "frame"}


def test_another_kind_replaces_only_its_own_block() -> None:
    lower = {"kind": "rvt", "width": 3, "cell": {"kind": "lstm", "size": 3}}
    assert merge(lower, {"cell": {"kind": "gru"}}) == {
        "kind": "rvt",
        "width": 3,
        "cell": {"kind": "gru"},
    }


def test_the_same_kind_again_keeps_the_rest_of_its_block() -> None:
    assert merge({"kind": "rvt", "width": 3}, {"kind": "rvt"}) == {"kind": "rvt", "width": 3}


def test_an_unknown_preset_names_the_nearest(conf: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'small'"):
        load(conf, preset="smal")


def test_a_misspelt_parameter_names_the_nearest(conf: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown parameter 'trian'; did you mean 'train'"):
        load(conf, trian={"steps": 1})


@pytest.mark.parametrize("name", ["lab/parameters_extra.yml", "presets/small.yml"])
def test_a_misspelt_key_in_a_file_names_the_file_and_the_nearest(conf: Path, name: str) -> None:
    (conf / name).write_text("trian: {steps: 5}\n")
    with pytest.raises(ConfigurationError, match=rf"{name}.*'trian'; did you mean 'train'"):
        load(conf, preset="small")


def test_a_recording_that_nothing_would_read_is_refused(conf: Path) -> None:
    (conf / "base/catalog.yml").write_text("recordings: {type: MemoryDataset}\n")
    with pytest.raises(ConfigurationError, match="add `--env recording`"):
        load(conf, recording="street.raw")


@pytest.fixture
def executors(conf: Path) -> Path:
    """Globals with an executor, and an environment with another."""
    (conf / "base/globals.yml").write_text("data: data\nexecutor: {kind: processes, workers: 3}\n")
    (conf / "cluster").mkdir()
    (conf / "cluster/globals.yml").write_text("executor: {kind: dask, cores: 2}\n")
    return conf


def load_globals(conf: Path, env: str = "lab", **runtime: object) -> dict[str, object]:
    loader = ConfigLoader(str(conf), env, runtime, base_env="base", default_run_env="lab")
    found: dict[str, object] = loader["globals"]
    return found


@pytest.mark.parametrize(
    ("env", "asked", "executor"),
    [
        ("lab", None, {"kind": "processes", "workers": 3}),
        ("cluster", None, {"kind": "dask", "cores": 2}),
        ("lab", "cluster", {"kind": "dask", "cores": 2}),
        ("cluster", "base", {"kind": "processes", "workers": 3}),
        ("cluster", "inline", {"kind": "inline"}),
        ("lab", {"workers": 1}, {"kind": "processes", "workers": 1}),
        ("lab", {"kind": "dask"}, {"kind": "dask"}),
    ],
)
def test_the_executor_is_that_of_the_environment_or_the_one_asked_for(
    executors: Path, env: str, asked: object, executor: dict[str, object]
) -> None:
    runtime = {} if asked is None else {"executor": asked}

    assert load_globals(executors, env, **runtime) == {"data": "data", "executor": executor}


def test_an_unknown_executor_names_the_nearest(executors: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown executor 'clutser'; did you mean 'clus"):
        load_globals(executors, executor="clutser")


def test_results_of_two_recordings_never_share_a_name() -> None:
    paths = ["a/street.raw", "b/street.raw", "a/street.dat", "a/street", "/a/street.raw", 7]
    names = {recording_name(path) for path in paths}
    assert len(names) == len(paths)
    assert recording_name("a/street.raw").startswith("street-")
    assert recording_name("a/street.raw") == recording_name("./a/street.raw")


def test_applying_to_a_second_recording_keeps_what_was_made_of_the_first(
    session: OpenSession,
) -> None:
    names = ("detections", "annotated_video", "quality_page")
    places: dict[str, set[str]] = {name: set() for name in names}
    for recording in ("a/street.raw", "b/street.raw"):
        with session("recording", recording=recording) as active:
            catalog = active.load_context().catalog
        for name, found in places.items():
            found.add(str(run_summary.place_of(catalog.get(name), Path.cwd())))
    assert all(len(found) == 2 for found in places.values())
    assert all("street-" in path for found in places.values() for path in found)


def test_a_packaged_configuration_is_read_with_its_presets(conf: Path, tmp_path: Path) -> None:
    expected = load(conf, preset="small")
    packed = tmp_path.parent / f"{tmp_path.name}-packed"
    for kind in ("gztar", "zip"):
        archive = shutil.make_archive(str(packed / "conf"), kind, conf.parent, conf.name)
        assert load(Path(archive), preset="small") == expected


def test_a_remote_configuration_is_read_with_its_presets(conf: Path) -> None:
    expected = load(conf, preset="small")
    files = fsspec.filesystem("memory")
    files.put(str(conf), "/shared", recursive=True)
    loader = ConfigLoader(
        "memory://shared", "lab", {"preset": "small"}, base_env="base", default_run_env="lab"
    )
    assert loader["parameters"] == expected


def test_two_files_that_set_the_same_key_are_refused(conf: Path) -> None:
    (conf / "lab/parameters_train.yml").write_text("train: {steps: 6, lanes: 2}\n")
    with pytest.raises(ConfigurationError, match=r"parameters.yml and .* both set train.steps"):
        load(conf)
    (conf / "lab/parameters_train.yml").write_text("train: {lanes: 2}\n")
    assert load(conf)["train"] == {
        "optimizer": {"rate": 0.1, "decay": 0.2},
        "steps": 5,
        "lanes": 2,
    }


def test_interpolations_are_resolved_after_all_layers_are_merged(conf: Path) -> None:
    (conf / "base/parameters_predict.yml").write_text("predict: {steps: '${train.steps}'}\n")
    assert load(conf)["predict"] == {"steps": 5}
    assert load(conf, train={"steps": 1})["predict"] == {"steps": 1}


def test_options_of_a_run_can_be_read_in_parameters(conf: Path) -> None:
    (conf / "lab/parameters_train.yml").write_text(
        "train: {name: '${runtime_params:run_name, none}', results: '${globals:data}'}\n"
    )
    (conf / "base/globals.yml").write_text("data: here\n")
    train = load(conf, run_name=7)["train"]
    assert isinstance(train, dict)
    assert (train["name"], train["results"]) == ("7", "here")


def test_hidden_files_and_other_files_are_no_configuration(conf: Path) -> None:
    (conf / "lab/.parameters.yml").write_text("train: {steps: 7}\n")
    (conf / "lab/parameters.yml~").write_text("train: {steps: 8}\n")
    (conf / "lab/parameters_more").mkdir()
    (conf / "lab/parameters_more/deep.yml").write_text("detector: {width: 7}\n")
    parameters = load(conf)
    assert parameters["train"] == {"optimizer": {"rate": 0.1, "decay": 0.2}, "steps": 5}
    assert parameters["detector"] == {
        "kind": "rvt",
        "width": 7,
        "cell": {"kind": "lstm", "size": 3},
    }
