"""What pages call something by is what code and configuration call it by."""

import re
import tomllib
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from kedro.framework.project import configure_project, pipelines
from tests import source
from tests.conftest import PROJECT
from tests.pages import PAGES, blocks, column, first_column, prose, spans, text_of

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.core.component import kinds
from etram_pipeline.core.mask_column import MASK_COLUMN
from etram_pipeline.evaluation.protocols import NAMED
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.settings import CONFIG_LOADER_ARGS

OF_OTHERS = frozenset(
    {
        # of file formats, whose words are compared in lower case or put together here
        *("AER", "DAT4", "RAW", "Data", "Height", "Width", "containing", "system_ID"),
        *("t_ms", "t_ns", "t_s", "ds2_nearest"),
        # of metrics and losses, which are put together
        *("AR_1", "AR_10", "AR_100", "AR_L", "AR_M", "AR_S", "num_small_foreground", "small_iou"),
        *("mask_AP", "mask_AP_50", "mask_AR_L", "HOTA_low", "HOTA_high"),
        *("count_recall", "count_precision", "count_class_accuracy", "count_error_per_15_min"),
        *("count_error", "count_error_low", "count_error_high", "count_geh_below_5"),
        # of eTraM's download, of RVT and its forks
        *("3_class", "Eight_class_annotations", "eight_class_annotations_", "HDF5"),
        *("gen4_class_labels", "data_baseline", "train_h5_1", "train_h5_2", "etram_cls8_sample"),
        *("rvt_eTram", "evaluate_list", "C3_n2", "C3_p2", "bu_conv3", "reduce_conv2", "mdl"),
        # of PyTorch, Dask, MLflow, Kedro and the system
        *(
            "torchvision",
            "ultralytics",
            "CocoDetection",
            "PBSCluster",
            "SGECluster",
            "LSFCluster",
            "bokeh",
        ),
        *("interface", "scheduler_options", "squeue", "srun", "flock", "ipython", "registry"),
        *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
        *("Columns", "bash", "pre", "commit", "lint", "imports", "api_key", "secret", "credential"),
        *("GetModelMetadata", "LookupCustomMetadataMapAllocated", "memory_0", "memory_1"),
        *("next_memory_0", "tmp", "tmpfs", "processing"),
        *("pip", "install", "deps", "serve", "find_pipelines", "api", "autonav", "boxmot"),
    }
)
"""Names that this project does not give."""

EXAMPLES = re.compile(
    r"(train|val|test)_(day|night)_\d{4}|street\w*|3f9a1c(_tracks)?|counts_15min|04T07|baseline|trailer|https|host|1280x720|"
    r"_(us|px|hz)|instances_train|exported|Source"
)
"""Names that a user gives, and endings of names."""


@pytest.fixture(scope="module", autouse=True)
def _project() -> None:
    configure_project("etram_pipeline")


@cache
def own_words() -> frozenset[str]:
    """Names in files that pages have the reader write."""
    written = [
        block for page in PAGES for kind in ("python", "yaml") for block in blocks(page, kind)
    ]
    words = (source.words_of(block.path) | source.words_of(block.code) for block in written)
    return frozenset().union(*words)


def messages() -> list[str]:
    """Messages that the pages of remedies explain."""
    page = text_of("docs/faq.md")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    cells += re.findall(r"\*\*(`[^*]*)\*\*", page)
    quoted = [" ".join(span.split()) for cell in cells for span in re.findall(r"`([^`]+)`", cell)]
    return [span for span in quoted if " " in span]


@pytest.mark.parametrize("page", PAGES)
def test_names_in_the_text_are_used_by_the_code(page: str) -> None:
    known = source.names() | own_words() | OF_OTHERS
    told = {word for message in messages() for word in source.words_of(message)}
    unknown = {
        word: span
        for span in spans(page)
        if " must be " not in span
        for word in source.words_of(span) - known - told
        if not EXAMPLES.fullmatch(word)
    }
    assert unknown == {}


@pytest.mark.parametrize("message", messages())
def test_messages_that_are_explained_are_given(message: str) -> None:
    named = re.fullmatch(r"unknown (\w+) …", message)
    assert source.refuses_unknown(named[1]) if named else source.says(message)


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_classes_that_pages_name_exist(page: str) -> None:
    for span in spans(page):
        if (
            re.fullmatch(r"(etram_pipeline|core|models|events)(\.\w+)+", span)
            and span.count(".") > 1
        ):
            dotted = f"etram_pipeline.{span.removeprefix('etram_pipeline.')}"
            module, _, name = dotted.rpartition(".")
            if not hasattr(import_module(module), name):
                import_module(dotted)
    for name, file in re.findall(r"`(\w+)`(?: and `\w+`)? (?:in|of) `([\w/.]+\.py)`", prose(page)):
        assert any(path.endswith(file) for path in source.defined_in().get(name, ())), (name, file)


def test_every_pipeline_is_in_the_readme() -> None:
    assert sorted(column("README.md", "pipeline")) == sorted(set(pipelines) - {"__default__"})


def test_every_parameter_is_in_the_table() -> None:
    options: dict[str, Any] = CONFIG_LOADER_ARGS
    parameters = ConfigLoader(str(PROJECT / "conf"), "local", {}, **options)["parameters"]
    assert sorted(column("docs/configuration.md", "key")) == sorted(parameters)


def test_every_environment_is_listed() -> None:
    folders = {path.name for path in (PROJECT / "conf").iterdir() if path.is_dir()}
    (tree,) = [
        block.code for block in blocks("docs/configuration.md", "") if "conf/base" in block.code
    ]
    assert set(re.findall(r"^conf/(\w+)/", tree, re.MULTILINE)) == folders
    (map_line,) = re.findall(r"^conf/ +(.*)$", text_of("README.md"), re.MULTILINE)
    assert (
        set(
            re.findall(
                r"\b(?:base|etram|gen1|gen4|dsec|recording|scene_masks|scene_study|scene_hard|dask|slurm|presets|experiments|local)\b",
                map_line,
            )
        )
        == folders
    )


FAMILIES = (
    ("docs/clusters.md", "executor", "builds.executors"),
    ("docs/variants.md", "`cell.kind`", "models.cells"),
    ("docs/export.md", "`export.picture.kind`", "export.pictures"),
)


@pytest.mark.parametrize(("page", "heading", "package"), FAMILIES)
def test_tables_of_parts_list_every_part(page: str, heading: str, package: str) -> None:
    environments = {path.name for path in (PROJECT / "conf").iterdir()}
    commands = {each for each in column(page, heading) if " " in each}
    listed = set(column(page, heading)) - commands
    parts = set(kinds(f"etram_pipeline.{package}"))
    assert parts <= listed <= parts | environments


@pytest.mark.parametrize(
    ("setting", "package"),
    [
        ("size_weight", "size_weights"),
        ("negative_weight", "negative_weights"),
        ("classification", "classification_losses"),
    ],
)
def test_the_table_of_losses_lists_every_part(setting: str, package: str) -> None:
    named = [each.split(": ") for each in column("docs/variants.md", "setting")]
    listed = [kind for name, kind in named if name == setting]
    parts = kinds(f"etram_pipeline.models.{package}")
    assert sorted({*listed, *({"uniform"} & set(parts))}) == parts


def test_the_changelog_lists_the_label_filters_and_protocols() -> None:
    named = set(spans("CHANGELOG.md"))
    assert set(kinds("etram_pipeline.labels.filters")) <= named
    assert set(NAMED) <= named


def test_the_table_of_protocols_says_what_they_are() -> None:
    rows = [line for line in text_of("docs/evaluation.md").splitlines() if line.startswith("| ")]
    heading = re.findall(r"`(\w+)`", rows[0])
    cells = {row.split(" | ")[0].strip("| "): row.strip("| ").split(" | ")[1:] for row in rows[1:9]}
    assert heading == list(NAMED)
    for index, protocol in enumerate(NAMED.values()):
        values = {name: row[index] for name, row in cells.items()}
        assert values["grid px per sensor px"] == f"{protocol.pixel_scale:g}"
        sides = [protocol.min_side_px, protocol.min_diagonal_px]
        told = ", ".join(f"{side:g}" for side in sides) if any(sides) else "none"
        assert values["minimum side, diagonal (grid px)"] == told
        assert values["time tolerance"].startswith(f"{protocol.tolerance_us // 1000} ms")
        ranked = {"joint": "objectness \N{MULTIPLICATION SIGN} class", "class": "class"}[
            protocol.ranking
        ]
        assert values["ranking score"] == ranked
        assert (values["detections compared"] == "at labels") is (protocol.frames == "labelled")
        counted = {-1: "counted", 500_000: "ignored"}[protocol.start_us]
        assert values["boxes at or before 0.5 s"] == counted
        if protocol.class_names and not protocol.class_groups and protocol.classes_by == "name":
            assert str(len(protocol.class_names)) in values["classes"]
        assert ("as one" in values["overall AP"]) is not protocol.class_aware


def test_the_columns_of_labels_and_detections_are_those_stored() -> None:
    assert sorted(first_column("Labels")) == sorted(LABEL_DTYPE.names or ())
    columns = [*(DETECTION_DTYPE.names or ()), MASK_COLUMN]
    assert sorted(first_column("Detections")) == sorted(columns)


def test_the_keys_of_metrics_are_those_written() -> None:
    assert sorted(first_column("Metrics")) == sorted(Metrics.model_fields)


def test_the_order_of_imports_is_that_of_the_contract() -> None:
    (contract,) = [
        each["layers"]
        for each in tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"][
            "contracts"
        ]
        if each["type"] == "layers"
    ]
    layers = [set(re.findall(r"\w+", layer)) for layer in contract]
    (told,) = re.findall(r"\*\*Imports point down\*\*: ([^.]*)\.", prose("docs/contributing.md"))
    assert [set(re.findall(r"`(\w+)`", layer)) for layer in told.split("→")] == layers


def test_the_map_of_the_code_shows_every_package() -> None:
    (tree,) = [
        block.code for block in blocks("README.md", "") if "src/etram_pipeline/" in block.code
    ]
    package = PROJECT / "src" / "etram_pipeline"
    shown = set(re.findall(r"[\w.]+", tree))
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in package.glob("[a-z]*.py")} - {"pipeline_registry.py"}
    assert folders | modules <= shown
    for name in re.findall(r"^[├└]── ([\w./]+)", tree, re.MULTILINE):
        assert (package / name).exists(), name
