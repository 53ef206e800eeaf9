"""Weights, features, predictions and detections against those of the reference.

Tolerances in single precision are what the reference itself differs by between single and double
precision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import State
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.postprocess import suppress
from etram_pipeline.models.rvt_format.checkpoint import rvt_name, to_rvt_state_dict

Facts = dict[str, Any]

PARTS = {"backbone": "backbone", "fpn": "neck", "yolox_head": "head"}
DOUBLE, SINGLE = 1e-9, 2e-5


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_weights_are_those_of_the_reference(
    size: str, read: Callable[[str], Facts], formula_detector: Callable[[str], rvt.RVT]
) -> None:
    golden = read(f"state_dict_{size}.json")
    detector = formula_detector(size)
    ours = {name: list(w.shape) for name, w in to_rvt_state_dict(detector).items()}
    assert ours == {name: about["shape"] for name, about in golden["keys"].items()}
    parameters = {rvt_name(name) for name, _ in detector.named_parameters()}
    assert parameters == {name for name, w in golden["keys"].items() if w["is_parameter"]}
    for theirs, part in PARTS.items():
        num_weights = sum(w.numel() for w in detector.get_submodule(part).parameters())
        assert num_weights == golden["params_by_part"][theirs]


@dataclass
class Run:
    """What the tiny detector made of three windows."""

    predictions: Tensor
    features: tuple[Tensor, ...]
    state: State


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=["double", "single"])
def run(
    request: pytest.FixtureRequest, frames: Tensor, formula_detector: Callable[[str], rvt.RVT]
) -> Run:
    detector = formula_detector("tiny").to(request.param)
    features: list[tuple[Tensor, ...]] = []
    detector.backbone.register_forward_hook(lambda *call: features.append(call[-1][0]))
    predictions, state = [], None
    with torch.no_grad():
        for window in frames.split(1):
            found, state = detector(window, state)
            predictions.append(found)
    merged = tuple(torch.cat(stage) for stage in zip(*features, strict=True))
    return Run(torch.cat(predictions), merged, state or ())


def test_predictions(run: Run, arrays: dict[str, np.ndarray]) -> None:
    is_double = run.predictions.dtype == torch.float64
    for window, found in enumerate(run.predictions):
        golden = torch.from_numpy(arrays[f"tiny_B_pred_t{window}_every97_f64"])
        difference = (found[:, ::97].double() - golden).abs()
        assert difference[..., :4].max() < (DOUBLE if is_double else 5e-3)
        assert difference[..., 4:].max() < (DOUBLE if is_double else 1e-4)


def test_prediction_statistics(run: Run, facts: Facts) -> None:
    for found, step in zip(run.predictions, facts["models"]["tiny_B"]["steps"], strict=True):
        golden = step["predictions"]
        assert list(found.shape) == golden["shape"]
        assert found.double().sum().item() == pytest.approx(golden["sum"], rel=1e-6)
        assert found.double().abs().sum().item() == pytest.approx(golden["abs_sum"], rel=1e-6)


def test_features_of_every_stage(run: Run, facts: Facts, arrays: dict[str, np.ndarray]) -> None:
    for window, step in enumerate(facts["models"]["tiny_B"]["steps"]):
        for stage, maps in enumerate(run.features, start=1):
            found, golden = maps[window], step["backbone"][f"stage{stage}"]
            assert list(found.shape) == golden["shape"]
            assert found.mean().item() == pytest.approx(golden["mean"], abs=SINGLE)
            assert found.std(correction=0).item() == pytest.approx(golden["std"], abs=SINGLE)
            slices = arrays[f"tiny_B_stage{stage}_t{window}_b0_c::8_y::7_x::9"]
            np.testing.assert_allclose(found[0, ::8, ::7, ::9], slices, rtol=0, atol=SINGLE)


def test_state_after_three_windows(run: Run, arrays: dict[str, np.ndarray]) -> None:
    for index, memory in enumerate(run.state):
        name = f"tiny_B_final_{'hc'[index % 2]}{index // 2 + 1}_b1_c::8_y::7_x::9"
        np.testing.assert_allclose(memory[1, ::8, ::7, ::9], arrays[name], rtol=0, atol=SINGLE)


@pytest.mark.parametrize("image", [0, 1])
@pytest.mark.parametrize("threshold", [0.3, 0.1, 0.001])
def test_detections(
    facts: Facts, arrays: dict[str, np.ndarray], threshold: float, image: int
) -> None:
    name = f"conf{threshold}_b{image}"
    if f"tiny_B_post_{name}" not in arrays:
        pytest.skip("only in the full golden data")
    predictions = torch.from_numpy(arrays["tiny_B_pred_t2_full"])[[image]]
    suppression = SuppressionSettings(score_threshold=threshold)
    [found] = suppress(predictions, suppression)
    assert found.objectness is not None
    assert found.class_scores is not None
    assert torch.equal(found.scores, found.objectness * found.class_scores)
    columns = [found.objectness[:, None], found.class_scores[:, None], found.class_ids[:, None]]
    rows = torch.cat([found.boxes_xyxy, *columns], dim=1)
    np.testing.assert_array_equal(rows, arrays[f"tiny_B_post_{name}"])
    number = facts["models"]["tiny_B"]["postprocess"].get(f"{name}_class_agnostic_n")
    if number is not None:
        agnostic = suppression.model_copy(update={"class_agnostic": True})
        assert len(suppress(predictions, agnostic)[0].class_ids) == number
