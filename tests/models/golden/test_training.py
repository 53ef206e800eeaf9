"""Losses, gradients and assignments against those of the reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.assignment import PaddedTargets, SimOTA
from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.execution import Execution
from etram_pipeline.models.losses import yolox
from etram_pipeline.models.predictions import AnchorGrid, Predictions
from etram_pipeline.models.rvt_format.checkpoint import rvt_name, to_rvt_state_dict

Facts = dict[str, Any]

PARTS = {"backbone": "backbone", "fpn": "neck", "yolox_head": "head"}


def to_targets(rows: list[list[float]], dtype: torch.dtype) -> Targets:
    """Targets from rows of class, centre and size."""
    table = torch.tensor(rows, dtype=dtype).view(-1, 5)
    return Targets(cxcywh_to_xyxy(table[:, 1:]), table[:, 0].long())


def assert_losses(found: Losses, golden: dict[str, float], rel: float) -> None:
    ours = {"iou_loss": "iou", "conf_loss": "objectness", "cls_loss": "class"}
    for theirs, name in ours.items():
        assert found[name].item() == pytest.approx(golden[theirs], rel=rel)
    per_target = found["num_foreground"] / found["num_targets"]
    assert per_target.item() == pytest.approx(golden["num_fg"])


EXECUTIONS = (
    Execution(order="steps"),
    Execution(order="stages"),
    Execution(order="steps", checkpoint_activations=True),
)


@pytest.fixture(scope="module", params=EXECUTIONS, ids=str)
def trained(
    request: pytest.FixtureRequest,
    facts: Facts,
    frames: Tensor,
    formula_detector: Callable[[str], rvt.RVT],
) -> tuple[rvt.RVT, Losses]:
    """The tiny detector in double precision after one backward pass, and its losses."""
    detector = formula_detector("tiny").double().train()
    detector.execute_with(request.param)
    labelled = facts["train"]["targets"]
    batch = SequenceBatch(
        frames=frames,
        starts=torch.tensor([True, True]),
        keyframes=torch.tensor([[frame["step"], frame["sample"]] for frame in labelled]),
        targets=tuple(to_targets(frame["boxes"], torch.float64) for frame in labelled),
    )
    losses, _ = detector.losses(batch, ())
    (losses["iou"] + losses["objectness"] + losses["class"]).backward()
    return detector, losses


def test_training_losses(trained: tuple[rvt.RVT, Losses], facts: Facts) -> None:
    assert_losses(trained[1], facts["train"]["losses_float64"], rel=1e-12)


def test_gradients(trained: tuple[rvt.RVT, Losses], facts: Facts) -> None:
    detector = trained[0]
    golden = facts["train"]["grad_norm_by_group_float64"]
    for theirs, part in PARTS.items():
        weights = detector.get_submodule(part).parameters()
        norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])
        assert norm.item() == pytest.approx(golden[theirs], rel=1e-12)
    single = facts["train"]["grad_norm_by_parameter"]
    for name, weight in detector.named_parameters():
        assert weight.grad is not None
        assert weight.grad.norm().item() == pytest.approx(single[rvt_name(name)], rel=1e-4)


def test_running_statistics_of_normalisation(trained: tuple[rvt.RVT, Losses], facts: Facts) -> None:
    weights = to_rvt_state_dict(trained[0])
    for name, total in facts["train"]["bn_running_sums_after_forward"].items():
        assert weights[name].sum().item() == pytest.approx(total, rel=2e-5, abs=1e-6)


def test_a_step_of_adamw(trained: tuple[rvt.RVT, Losses], facts: Facts) -> None:
    detector = trained[0]
    golden = facts["train"]["adamw_step_lr3.46e-4_wd0_clipvalue1"]
    gradients = [w.grad.clone() for w in detector.parameters() if w.grad is not None]
    assert sum(int((g.abs() > 1).sum()) for g in gradients) == pytest.approx(
        golden["n_grad_elements_clipped"], abs=20
    )
    before = {name: weight.detach().clone() for name, weight in detector.named_parameters()}
    torch.nn.utils.clip_grad_value_(detector.parameters(), 1.0)
    torch.optim.AdamW(detector.parameters(), lr=3.46e-4, weight_decay=0).step()
    moved = {name: weight.detach() - before[name] for name, weight in detector.named_parameters()}
    for theirs, part in PARTS.items():
        deltas = [delta.norm() for name, delta in moved.items() if name.startswith(part)]
        length = torch.stack(deltas).norm().item()
        # The first step moves by signs, and single precision errs on those of tiny gradients.
        assert length == pytest.approx(golden["delta_l2_by_group"][theirs], rel=3e-4)


@pytest.fixture(params=[torch.float64, torch.float32], ids=["double", "single"])
def given(request: pytest.FixtureRequest, folder: Path) -> Predictions:
    """The predictions of `simota.json`."""
    arrays = np.load(folder / "simota_inputs.npz")
    dtype = request.param
    outputs = torch.from_numpy(arrays["decoded_outputs"]).to(dtype).requires_grad_()
    strides = torch.from_numpy(arrays["strides"]).to(dtype)
    cells = torch.from_numpy(np.stack([arrays["x_shifts"], arrays["y_shifts"]], axis=1)).to(dtype)
    grid = AnchorGrid(cells * strides[:, None], strides)
    return Predictions(outputs[..., :4], outputs[..., 4], outputs[..., 5:], grid)


def test_assignment(given: Predictions, read: Callable[[str], Facts]) -> None:
    golden = read("simota.json")
    dtype = given.boxes_cxcywh.dtype
    wanted = PaddedTargets.pad(tuple(to_targets(rows, dtype) for rows in golden["targets"]), dtype)
    assignment = SimOTA()(given, wanted)
    matched = {image["batch_idx"]: image for image in golden["assignments"]}
    for image, target in enumerate(assignment.target):
        anchors = (target >= 0).nonzero().squeeze(1)
        expected = matched.get(image, {"fg_anchor_indices": [], "gt_index": [], "ious": []})
        assert anchors.tolist() == expected["fg_anchor_indices"]
        assert target[anchors].tolist() == expected["gt_index"]
        np.testing.assert_allclose(
            assignment.ious[image, anchors].detach(), expected["ious"], rtol=1e-3, atol=1e-6
        )


def test_loss_of_given_predictions(given: Predictions, read: Callable[[str], Facts]) -> None:
    golden = read("simota.json")
    dtype = given.boxes_cxcywh.dtype
    targets = tuple(to_targets(rows, dtype) for rows in golden["targets"])
    losses = yolox.Config().build(8)(given, targets)
    is_double = dtype == torch.float64
    assert_losses(losses, golden["losses_float64"], rel=1e-12 if is_double else 1e-6)
    total = losses["iou"] + losses["objectness"] + losses["class"]
    predicted = (given.boxes_cxcywh, given.objectness_logits, given.class_logits)
    norms = [gradient.norm().item() for gradient in torch.autograd.grad(total, predicted)]
    expected = [golden["grad"][name] for name in ("l2_box", "l2_obj", "l2_cls")]
    assert norms == pytest.approx(expected, rel=2e-6)
