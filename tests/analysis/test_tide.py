"""The same repairs by TIDE's own code, on random sets whose scores are all distinct."""

from typing import Any

import pytest
from tests.analysis.conftest import random_evidence

from etram_pipeline.analysis.errors import judge_evidence
from etram_pipeline.analysis.judgement import KINDS
from etram_pipeline.analysis.repairs import Precision, mistakes_of
from etram_pipeline.evaluation.evidence import Evidence

tidecv = pytest.importorskip("tidecv", reason="pip install -e '.[dev]'")

THEIR_NAMES = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
SEEDS = (2, 3, 4)


def run_of(evidence: Evidence) -> Any:  # noqa: ANN401  # the library has no types
    """A run of TIDE on the same boxes, without its limit of boxes per frame."""
    frames = evidence.frames
    truth, found = (tidecv.Data(name, max_dets=10_000) for name in ("truth", "found"))
    for class_id, name in enumerate(evidence.class_names):
        truth.add_class(class_id, name)
    for frame in range(len(frames)):
        truth.add_image(frame, str(frame))
    columns = (
        (boxes.frames.tolist(), boxes.class_ids.tolist(), boxes.boxes_xywh.tolist())
        for boxes in (frames.labels, frames.detections)
    )
    for frame, class_id, box in zip(*next(columns), strict=True):
        truth.add_ground_truth(frame, class_id, box)
    for row, (frame, class_id, box) in enumerate(zip(*next(columns), strict=True)):
        found.add_detection(frame, class_id, float(frames.detections.scores[row]), box)
    return tidecv.TIDE().evaluate(truth, found, name="random")


@pytest.fixture(scope="module")
def compared() -> dict[int, tuple[Evidence, Any]]:
    """Random evidence, and TIDE's run on it, by seed."""
    found = {seed: random_evidence(seed) for seed in SEEDS}
    return {seed: (evidence, run_of(evidence)) for seed, evidence in found.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_and_gain_is_that_of_tide(seed: int, compared: Any) -> None:  # noqa: ANN401
    evidence, run = compared[seed]
    judged = judge_evidence(evidence)
    precision = Precision.of(judged)
    now = precision.overall(precision.as_it_is)
    theirs = {error.short_name: value for error, value in run.fix_main_errors().items()}
    counts = {error.short_name: value for error, value in run.count_errors().items()}
    assert now == pytest.approx(run.ap / 100, abs=1e-9)
    for name, kind in zip(THEIR_NAMES, KINDS, strict=True):
        wrong, missed = mistakes_of(judged, kind)
        gain = precision.overall(precision.repaired(wrong, missed)) - now
        assert gain == pytest.approx(theirs[name] / 100, abs=1e-9), kind
        assert wrong.sum() + missed.sum() == counts[name], kind
        assert counts[name] > 5, kind  # enough of each to tell
