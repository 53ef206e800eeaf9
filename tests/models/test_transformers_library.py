"""The optional library transformers: each way in which it can be missing is told in one line."""

import sys
from types import ModuleType

import pytest

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.transformers_library import require_transformers


def test_a_library_that_cannot_be_imported_is_told_with_its_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "transformers":
                raise ImportError("numpy.core.multiarray failed to import\nand more")

    library = "etram_pipeline.models.transformers_library.find_spec"
    monkeypatch.setattr(library, lambda _: object())
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(SettingsError) as error:
        require_transformers("rtdetr")
    assert str(error.value) == (
        "detector.kind rtdetr needs transformers, which is installed but cannot be imported "
        "(numpy.core.multiarray failed to import): pip install --force-reinstall transformers"
    )


def test_an_old_library_is_told_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    old, utils, log = (ModuleType(name) for name in ("transformers", "utils", "logging"))
    vars(old).update(__version__="4.40.0", utils=utils)
    vars(utils).update(logging=log)
    vars(log).update(set_verbosity_error=lambda: None, disable_progress_bar=lambda: None)
    library = "etram_pipeline.models.transformers_library.find_spec"
    monkeypatch.setattr(library, lambda _: object())
    monkeypatch.setitem(sys.modules, "transformers", old)
    monkeypatch.setitem(sys.modules, "transformers.utils", utils)
    with pytest.raises(SettingsError, match=r"needs transformers 5\.\d+ or newer, but 4\.40\.0 is"):
        require_transformers("rf_detr")
