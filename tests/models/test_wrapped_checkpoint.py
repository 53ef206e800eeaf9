"""Checkpoints whose detector another program wrapped, averaged or saved under keys of its own."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.models.test_checkpoint import same_weights

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.checkpoint import (
    Checkpoint,
    checkpoint_payload,
    read_checkpoint,
)
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.rvt_format.checkpoint import to_rvt_state_dict

WRAPPERS = ["module", "_orig_mod", "model", "_fsdp_wrapped_module", "_forward_module"]
around = st.lists(st.sampled_from([*WRAPPERS, "mdl", "detector"]), max_size=4)
inside = st.lists(
    st.sampled_from(["_orig_mod", "module", "_checkpoint_wrapped_module"]), max_size=2
)


def wrap(name: str, outer: list[str], inner: list[str]) -> str:
    part, _, rest = name.partition(".")
    return ".".join([*outer, part, *inner, rest])


@given(outer=around, inner=inside, bare=st.booleans())
@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_weights_are_read_whatever_wraps_their_detector(
    tmp_path: Path,
    checkpoint: Checkpoint,
    outer: list[str],
    inner: list[str],
    bare: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "wrapped.ckpt"
    assert isinstance(checkpoint.detector, rvt.RVT)
    theirs = {
        wrap(name, outer, inner): weight
        for name, weight in to_rvt_state_dict(checkpoint.detector).items()
    }
    torch.save(theirs if bare else {"state_dict": theirs, "epoch": 3}, path)
    assert same_weights(read_checkpoint(path).detector, checkpoint.detector)
    own = {
        wrap(name, outer, inner): weight
        for name, weight in checkpoint.detector.state_dict().items()
    }
    content = {"etram": checkpoint_payload(checkpoint)}
    torch.save(content | (own if bare else {"state_dict": own}), path)
    assert same_weights(read_checkpoint(path).detector, checkpoint.detector)


@pytest.mark.parametrize(
    "keys",
    [
        *(["state_dict"], ["model_state_dict"], ["model"], ["module"], ["net"], ["weights"]),
        *(["ema"], ["model_ema"], ["ema_state_dict"], ["checkpoint", "model"], ["ema", "module"]),
    ],
)
def test_weights_may_be_kept_under_any_usual_key(
    tmp_path: Path, checkpoint: Checkpoint, keys: list[str]
) -> None:
    path = tmp_path / "model.pth"
    assert isinstance(checkpoint.detector, rvt.RVT)
    content: dict[str, object] = dict(to_rvt_state_dict(checkpoint.detector))
    for key in reversed(keys):
        content = {"model": {"name": "rvt"}, "step": 7, key: content}
    torch.save(content, path)
    assert same_weights(read_checkpoint(path).detector, checkpoint.detector)


def test_weights_that_were_trained_count_before_averaged_ones(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    path = tmp_path / "model.pth"
    assert isinstance(checkpoint.detector, rvt.RVT)
    weights = to_rvt_state_dict(checkpoint.detector)
    averaged = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    torch.save({"ema": averaged, "model": weights}, path)
    assert same_weights(read_checkpoint(path).detector, checkpoint.detector)


def test_an_averaged_model_is_read(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "model.pth"
    assert isinstance(checkpoint.detector, rvt.RVT)
    weights = {f"module.{k}": v for k, v in to_rvt_state_dict(checkpoint.detector).items()}
    torch.save({"state_dict": weights | {"n_averaged": torch.tensor(3)}}, path)
    assert same_weights(read_checkpoint(path).detector, checkpoint.detector)


def test_weights_that_are_there_twice_are_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "twice.ckpt"
    own = checkpoint.detector.state_dict()
    twice = {f"detector.{prefix}{k}": v for k, v in own.items() for prefix in ("", "_orig_mod.")}
    torch.save({"etram": checkpoint_payload(checkpoint), "state_dict": twice}, path)
    with pytest.raises(CheckpointError, match=rf"twice\.ckpt: {len(own)} weights are there twice"):
        read_checkpoint(path)
