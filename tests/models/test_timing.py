from collections.abc import Callable

import pytest
import torch

from etram_pipeline.models.cells import CellConfig
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig, rvt
from etram_pipeline.models.timing import knows_time, rescale_time

Build = Callable[[DetectorConfig], Detector]


@pytest.mark.parametrize(("kind", "expected"), [("s5", True), ("conv_lstm", False)])
def test_whole_detectors_know_of_time_if_their_cells_do(
    config: rvt.Config, build: Build, kind: str, *, expected: bool
) -> None:
    cell = CellConfig.model_validate({"kind": kind})
    detector = build(config.model_copy(update={"cell": cell})).eval()
    frame = torch.randn(1, 1, 4, 64, 64)
    assert knows_time(detector) == expected
    with torch.no_grad():
        usual, _ = detector(frame.repeat(3, 1, 1, 1, 1))
        rescale_time(detector, 0.5)
        denser, _ = detector(frame.repeat(3, 1, 1, 1, 1))
        rescale_time(detector, 1.0)
        again, _ = detector(frame.repeat(3, 1, 1, 1, 1))
    assert torch.equal(usual, denser) != expected
    assert torch.equal(usual, again)
