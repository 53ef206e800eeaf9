"""Numbers of the reference implementation.

Source: uzh-rpg/RVT b80f568, run on weights and inputs that `formula_weight` and `formula_frames`
give; see tests/golden/model/README.md. Tolerances in single precision are what the reference
itself differs by between single and double precision.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.assignment import PaddedTargets, SimOTA
from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.cells import conv_lstm
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.losses import yolox
from etram_pipeline.models.postprocess import suppress
from etram_pipeline.models.predictions import AnchorGrid, Predictions
from etram_pipeline.models.rvt_checkpoint import from_rvt_state_dict, rvt_name, to_rvt_state_dict
from etram_pipeline.models.suppression import Suppression

ROOT = Path(__file__).parents[2]
FULL, SMALL = ROOT / "../shared/golden/model", ROOT / "tests/golden/model"
GOLDEN = FULL if FULL.is_dir() else SMALL

Facts = dict[str, Any]

PARTS = {"backbone": "backbone", "fpn": "neck", "yolox_head": "head"}
DOUBLE, SINGLE = 1e-9, 2e-5


def read(name: str) -> Facts:
    facts: Facts = json.loads((GOLDEN / name).read_text())
    return facts


@pytest.fixture(scope="module")
def facts() -> Facts:
    return read("model.json")


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "model_arrays.npz"))


def formula_weight(name: str, shape: list[int]) -> Tensor:
    """The weight RVT calls `name` in the reference's runs."""
    random = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    is_output = ".obj_preds." in name or ".cls_preds." in name
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if name.endswith("running_var"):
        weight = np.abs(1 + 0.1 * random)
    elif name.endswith(".gamma"):
        weight = 0.5 + 0.1 * random
    elif len(shape) == 1 and name.endswith(".weight"):
        weight = 1 + 0.1 * random
    elif len(shape) >= 2:
        gain = 1.4 if name.startswith("backbone.") else 4.0 if is_output else 1.8
        weight = random * gain / np.sqrt(np.prod(shape[1:]))
    else:
        weight = 0.02 * random - 2.0 * (is_output and name.endswith(".bias"))
    return torch.from_numpy(weight.astype(np.float32))


def formula_detector(size: str) -> rvt.RVT:
    keys = read(f"state_dict_{size}.json")["keys"]
    weights = {name: formula_weight(name, about["shape"]) for name, about in keys.items()}
    return from_rvt_state_dict(weights)


@pytest.fixture(scope="module")
def frames(facts: Facts) -> Tensor:
    generator = np.random.default_rng(0)
    shape = tuple(facts["input"]["shape"])
    mask = generator.random(shape, dtype=np.float32) < 0.05
    counts = generator.integers(1, 11, size=shape, dtype=np.uint8)
    drawn = (mask * counts).astype(np.uint8)
    assert int(drawn.sum()) == facts["input"]["sum"]
    return torch.from_numpy(drawn)


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_weights_are_those_of_the_reference(size: str) -> None:
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
def run(request: pytest.FixtureRequest, frames: Tensor) -> Run:
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
    suppression = Suppression(score_threshold=threshold)
    [found] = suppress(predictions, suppression)
    columns = [found.objectness[:, None], found.class_scores[:, None], found.class_ids[:, None]]
    rows = torch.cat([found.boxes_xyxy, *columns], dim=1)
    np.testing.assert_array_equal(rows, arrays[f"tiny_B_post_{name}"])
    number = facts["models"]["tiny_B"]["postprocess"].get(f"{name}_class_agnostic_n")
    if number is not None:
        agnostic = suppression.model_copy(update={"class_agnostic": True})
        assert len(suppress(predictions, agnostic)[0].class_ids) == number


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


@pytest.fixture(scope="module")
def trained(facts: Facts, frames: Tensor) -> tuple[rvt.RVT, Losses]:
    """The tiny detector in double precision after one backward pass, and its losses."""
    detector = formula_detector("tiny").double().train()
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
def given(request: pytest.FixtureRequest) -> Predictions:
    """The predictions of `simota.json`."""
    arrays = np.load(GOLDEN / "simota_inputs.npz")
    dtype = request.param
    outputs = torch.from_numpy(arrays["decoded_outputs"]).to(dtype).requires_grad_()
    strides = torch.from_numpy(arrays["strides"]).to(dtype)
    cells = torch.from_numpy(np.stack([arrays["x_shifts"], arrays["y_shifts"]], axis=1)).to(dtype)
    grid = AnchorGrid(cells * strides[:, None], strides)
    return Predictions(outputs[..., :4], outputs[..., 4], outputs[..., 5:], grid)


def test_assignment(given: Predictions) -> None:
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


def test_loss_of_given_predictions(given: Predictions) -> None:
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


@pytest.mark.parametrize("variant", ["gen4", "dws_hidden_k3", "dws_xh_k3", "dws_hidden_k5"])
def test_variants_of_the_cell(facts: Facts, arrays: dict[str, np.ndarray], variant: str) -> None:
    golden = facts["convlstm"][variant]
    options = golden["kwargs"]
    mixed = "hidden" if options["dws_conv_only_hidden"] else "input_and_hidden"
    config = conv_lstm.Config.model_validate(
        {
            "depthwise": mixed if options["dws_conv"] else "none",
            "kernel_size": options["dws_conv_kernel_size"],
        }
    )
    cell = config.build(16)
    names = {"conv1x1": "gates", "conv3x3_dws": "mixing"}
    weights = {}
    for name, shape in golden["state_dict"].items():
        layer, kind = name.split(".")
        key = golden["weight_key_prefix"] + name
        weights[f"{names[layer]}.{kind}"] = formula_weight(key, shape)
    cell.load_state_dict(weights)
    generator = np.random.default_rng(7)
    maps = torch.from_numpy(generator.standard_normal((3, 2, 16, 6, 10)).astype(np.float32))
    with torch.no_grad():
        _, (hidden, memory) = cell(maps, ())
    np.testing.assert_allclose(hidden, arrays[f"convlstm_{variant}_h"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(memory, arrays[f"convlstm_{variant}_c"], rtol=0, atol=1e-6)
