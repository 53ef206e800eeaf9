"""Choices made for a trainer."""

import pytest
import torch

from etram_pipeline.training.settings import Precision
from etram_pipeline.training.trainer import resolve_precision, use_available_cores


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_a_precision_asked_for_is_taken(precision: Precision) -> None:
    assert resolve_precision(precision, on_gpu=False) == precision


def test_without_a_choice_the_hardware_decides() -> None:
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert resolve_precision("auto", on_gpu=False) == ("bf16-mixed" if fast else "32")


def test_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    torch.set_num_threads(4)
    use_available_cores()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    use_available_cores()
    assert torch.get_num_threads() == 1
