"""Every name a pipeline uses resolves, in every environment, without running anything."""

import subprocess
import sys
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.validation.type_extractor import TypeExtractor
from tests.conftest import PROJECT, OpenSession

ENVIRONMENTS = sorted(
    path.name
    for path in (PROJECT / "conf").iterdir()
    if path.is_dir() and path.name not in {"presets", "experiments"}
)

HEAVY = ("torch", "pytorch_lightning", "mlflow", "numba", "matplotlib", "pandas", "h5py", "av")


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_dataset_resolves_and_every_parameter_is_used(session: OpenSession, env: str) -> None:
    with session(env) as active:
        context = active.load_context()
        catalog, parameters = context.catalog, context.params
    for name, pipeline in pipelines.items():
        for dataset in pipeline.datasets():
            if not dataset.startswith("params:"):
                assert catalog.get(dataset) is not None, f"{name}: {dataset}"
    used = {
        dataset.removeprefix("params:").split(".")[0]
        for pipeline in pipelines.values()
        for dataset in pipeline.inputs()
        if dataset.startswith("params:")
    }
    assert used == set(parameters)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["preprocess", "__default__", "apply"])
def test_the_quality_page_is_there_before_the_encoding_may_fail(name: str) -> None:
    names = [node.name for node in pipelines[name].nodes]

    assert names.index("preprocess.draw_quality_page") < names.index("preprocess.encode_recordings")


@pytest.mark.usefixtures("project")
def test_every_parameter_is_validated_by_its_node() -> None:
    typed = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    used = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
    assert typed.keys() == {name.removeprefix("params:") for name in used if "params:" in name}


def test_nothing_heavy_is_imported_at_start() -> None:
    code = (
        "import sys; from etram_pipeline.pipeline_registry import register_pipelines;"
        "import etram_pipeline.settings; register_pipelines();"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_misspelt_nested_parameter_stops_the_run_before_the_first_node(
    session: OpenSession,
) -> None:
    with (
        session(representation={"bin": 3}) as active,
        pytest.raises(Exception, match=r"representation\.bin: unknown key; did you mean 'bins'"),
    ):
        active.run(pipeline_names=["preprocess"])


def test_the_default_pipeline_goes_from_recordings_to_a_report(project: Path) -> None:
    assert project.exists()
    default = pipelines["__default__"]
    free = {name for name in default.inputs() if not name.startswith("params:")}
    folders = {"training_folder", "exported_folder"}
    assert free == {"recordings", "label_files", "site", "run_facts"} | folders
    assert {"report_page", "traffic_page", "annotated_video", "metrics"} <= default.all_outputs()


def test_the_export_needs_nothing_but_what_preprocess_makes(project: Path) -> None:
    assert project.exists()
    export = pipelines["export"]
    free = {name for name in export.inputs() if not name.startswith("params:")}
    assert free <= pipelines["preprocess"].all_outputs()
    assert not export.all_outputs() & pipelines["__default__"].all_outputs()
