"""What is made of the hardware at hand."""

import pytest
import torch

from etram_pipeline.core.machine import Workers
from etram_pipeline.models.execution import Precision
from etram_pipeline.models.hardware import resolve_precision, set_thread_counts
from etram_pipeline.models.lanes import cores_in_use, use_cores


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_a_precision_asked_for_is_taken(precision: Precision) -> None:
    assert resolve_precision(precision, on_gpu=False) == precision


@pytest.mark.parametrize(
    ("is_there", "is_allowed", "expected"),
    [(True, True, "bf16-mixed"), (True, False, "32"), (False, True, "32")],
)
def test_without_a_choice_the_hardware_decides_unless_it_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    is_there: bool,  # noqa: FBT001
    is_allowed: bool,  # noqa: FBT001
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: is_there)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: is_allowed)
    assert resolve_precision("auto", on_gpu=False) == expected


@pytest.mark.parametrize(("is_native", "expected"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float16(
    monkeypatch: pytest.MonkeyPatch,
    is_native: bool,  # noqa: FBT001
    expected: str,
) -> None:
    def supports_bfloat16(including_emulation: bool = True) -> bool:  # noqa: FBT001, FBT002
        return is_native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supports_bfloat16)
    assert resolve_precision("auto", on_gpu=True) == expected


@pytest.mark.parametrize(
    ("threads", "cores", "workers", "expected"),
    [(8, 2, 0, 2), (8, 2, 1, 1), (8, 2, "auto", 2), (8, 2, 6, 1), (8, 16, 1, 8), (1, 2, 0, 1)],
)
def test_computing_leaves_a_core_to_each_worker(
    monkeypatch: pytest.MonkeyPatch, threads: int, cores: int, workers: Workers, expected: int
) -> None:
    monkeypatch.setattr("etram_pipeline.models.hardware.num_cores", lambda: cores)
    use_cores(0)
    torch.set_num_threads(threads)
    set_thread_counts(workers)
    assert torch.get_num_threads() == expected


def test_lanes_have_all_cores_and_each_of_their_operations_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etram_pipeline.models.hardware.num_cores", lambda: 3)
    use_cores(0)
    torch.set_num_threads(8)
    for _ in range(2):  # a prediction follows a training
        set_thread_counts("auto", lanes=4)
        assert (torch.get_num_threads(), cores_in_use()) == (1, 3)
    for lanes in (1, 2):  # more cores than lanes: operations share them
        set_thread_counts("auto", lanes)
        assert (torch.get_num_threads(), cores_in_use()) == (3, 3)
