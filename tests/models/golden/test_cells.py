"""Every variant of the ConvLSTM against the reference."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from etram_pipeline.models.cells import conv_lstm

Facts = dict[str, Any]


@pytest.mark.parametrize("variant", ["gen4", "dws_hidden_k3", "dws_xh_k3", "dws_hidden_k5"])
def test_variants_of_the_cell(
    facts: Facts,
    arrays: dict[str, np.ndarray],
    formula_weight: Callable[[str, list[int]], Tensor],
    variant: str,
) -> None:
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
