"""Only one of two distributions with the same files may be installed."""

from pathlib import Path

import pytest

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.installation import PROJECT, RUNTIME, check_installation


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that is searched for distributions."""
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    return tmp_path


def install(folder: Path, name: str, version: str) -> None:
    of = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    of.mkdir()
    (of / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize("names", [(), (PROJECT,), (RUNTIME,)], ids=str)
def test_one_distribution_or_none_is_accepted(names: tuple[str, ...], site_packages: Path) -> None:
    for name in names:
        install(site_packages, name, "0.1.0")
    check_installation()


def test_two_distributions_are_refused_with_the_remedy(site_packages: Path) -> None:
    install(site_packages, PROJECT, "0.1.0")
    install(site_packages, RUNTIME, "0.2.0")
    told = (
        r"etram-pipeline 0\.1\.0 and etram-pipeline-runtime 0\.2\.0 are both installed.*"
        r"pip uninstall etram-pipeline-runtime"
    )
    with pytest.raises(SettingsError, match=told):
        check_installation()
