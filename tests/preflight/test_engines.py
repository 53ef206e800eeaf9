"""Packages of engines are looked for before a run."""

import sys
from pathlib import Path

import pytest
from tests.preflight.conftest import Find, Save, faults


def test_an_engine_that_is_not_installed_is_named_before_anything_is_exported(
    stores: Path, save_checkpoint: Save, found: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stores.is_dir()
    checkpoint = str(save_checkpoint())
    engines = [{"kind": "onnxruntime"}, {"kind": "openvino"}]
    asked = {"checkpoint": checkpoint, "deploy": {"latency": {"engines": engines}}}

    monkeypatch.setitem(sys.modules, "openvino", None)
    told = faults(found("deploy", **asked))

    assert [fault for fault in told if "openvino" in fault] == [
        "the engine openvino needs openvino, not installed here: pip install -e '.[openvino]', or "
        "leave this engine out of deploy.latency.engines"
    ]
