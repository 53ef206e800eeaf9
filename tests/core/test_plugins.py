"""Parts of a family from other installed packages."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

import etram_pipeline
from etram_pipeline.core import plugins
from etram_pipeline.core.component import families, kinds
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.labels.filters import FilterConfig

Install = Callable[..., None]

GROUP = "etram_pipeline.filters"

FILTER = """
from typing import Literal
from etram_pipeline.labels.filters import FilterConfig

class Config(FilterConfig):
    kind: Literal["night_only"] = "night_only"
    lux: float = 1.0

    def build(self, context):
        raise NotImplementedError
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs packages of one module, with one entry point each, for one test."""

    def install_one(
        name: str, source: str, kind: str = "night_only", attribute: str = "Config"
    ) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        about = tmp_path / f"{name}-2.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        (about / "entry_points.txt").write_text(f"[{GROUP}]\n{kind} = {name}:{attribute}\n")
        plugins._offers.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._offers.cache_clear()
    yield install_one
    plugins._offers.cache_clear()


def refusal(raw: object) -> str:
    with pytest.raises(ValidationError) as refused:
        FilterConfig.model_validate(raw)
    (line,) = describe_errors(refused.value)
    return line


def test_parts_are_found_once_a_library_reads_metadata_in_its_own_way(install: Install) -> None:
    pytest.importorskip("importlib_metadata")  # takes the place of the standard library's finder
    install("nightfall_z", FILTER)
    assert plugins.offered_kinds("etram_pipeline.labels.filters") == ["night_only"]
    assert FilterConfig.model_validate({"kind": "night_only"}).kind == "night_only"


def test_a_part_of_an_installed_package_is_chosen_by_its_kind(install: Install) -> None:
    install("nightfall_a", FILTER)
    part = FilterConfig.model_validate({"kind": "night_only", "lux": 3})
    assert type(part).__module__ == "nightfall_a"
    assert FilterConfig.model_validate(part.model_dump()) == part
    assert "unknown key" in refusal({"kind": "night_only", "lox": 3})


def test_messages_list_parts_of_installed_packages_but_lists_of_own_parts_do_not(
    install: Install,
) -> None:
    install("nightfall_b", FILTER)
    assert refusal({"kind": "night_onli"}).startswith(
        "unknown kind 'night_onli'; did you mean 'night_only'?"
    )
    assert "night_only" in refusal({"lux": 3})
    assert "night_only" not in kinds(FilterConfig.package)


def test_a_part_that_cannot_be_imported_is_told_in_one_line(install: Install) -> None:
    install("nightfall_c", "import no_such_library")
    assert refusal({"kind": "night_only"}) == (
        "kind 'night_only' of the installed package nightfall_c 2.0 cannot be imported from "
        "nightfall_c:Config: ModuleNotFoundError(\"No module named 'no_such_library'\")"
    )


@pytest.mark.parametrize(
    ("source", "attribute"), [("Config = 3", "Config"), (FILTER, "Literal"), ("Config = int", "")]
)
def test_what_is_no_part_of_the_family_is_told_in_one_line(
    install: Install, source: str, attribute: str
) -> None:
    name = f"nightfall_d{len(source)}"
    install(name, source, attribute=attribute or "Config")
    message = refusal({"kind": "night_only"})
    assert message.startswith(f"kind 'night_only' of the installed package {name} 2.0 must be a")
    assert "derived from etram_pipeline.labels.filters.FilterConfig" in message


def test_a_part_that_two_packages_offer_is_refused(install: Install) -> None:
    install("nightfall_e", FILTER)
    install("nightfall_f", FILTER)
    assert refusal({"kind": "night_only"}) == (
        "kind 'night_only' is offered by nightfall_e 2.0 and nightfall_f 2.0: uninstall all but "
        "one of them"
    )


def test_a_part_of_our_name_has_no_effect_and_is_told(install: Install) -> None:
    install("nightfall_g", FILTER, kind="minimum_size")
    part = FilterConfig.model_validate({"kind": "minimum_size", "side_px": 7})
    assert type(part).__module__ == "etram_pipeline.labels.filters.minimum_size"
    (line,) = plugins.hidden_plugins(FilterConfig.package, kinds(FilterConfig.package))
    assert line == (
        "kind 'minimum_size' of the installed package nightfall_g 2.0 has no effect: "
        "etram_pipeline.labels.filters has a part of this name, which is used instead"
    )


def test_entry_points_are_not_read_for_kinds_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins._offers.cache_clear()
    monkeypatch.delattr(plugins, "entry_points")
    FilterConfig.model_validate({"kind": "minimum_size", "side_px": 7})
    with pytest.raises(NameError):
        FilterConfig.model_validate({"kind": "night_only"})


def test_every_family_has_a_group_of_its_own() -> None:
    for module in pkgutil.walk_packages(etram_pipeline.__path__, "etram_pipeline."):
        if module.ispkg:
            import_module(module.name)
    groups = [plugins.group_of(family.package) for family in families()]
    assert "etram_pipeline.detectors" in groups
    assert len(groups) == len(set(groups)) > 10
