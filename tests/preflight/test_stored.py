import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.preflight.conftest import DATA, Find, Save, faults, warnings
from tests.preprocessing.recordings import preprocess

UNREAD = dict.fromkeys(("train", "predict"))
"""Parameters that `evaluate` does not read."""


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"representation": {"bins": 5}}, "representation.bins is 5, but the stored histograms"),
        ({"representation": {"downsample": None}}, "representation.downsample is null, but the"),
        ({"representation": {"kind": "mixed_density"}}, "representation.kind is mixed_density"),
        ({"windows": {"step_ms": 25}}, "windows.step_ms is 25, but the stored histograms"),
        ({"storage": {"profile": "training"}}, "storage.profile is training, but the stored"),
        ({"labels": {"first_frame_ms": 700}}, "labels.first_frame_ms is 700, but the stored label"),
        ({"labels": {"filters": []}}, "labels.filters is [], but the stored labelled frames"),
        ({"labels": {"frames": "spaced"}}, "labels.frames is spaced, but the stored label"),
        ({"labels": {"empty_frames": "grid"}}, "labels.empty_frames is grid, but the stored"),
        ({"dataset": {"clock": "sdk"}}, "dataset.clock is sdk, but the stored labelled"),
    ],
)
def test_parameters_that_stored_data_contradict_are_refused(
    found: Find, changes: dict[str, Any], message: str
) -> None:
    told = [each for each in faults(found("train", **changes)) if each.startswith(message)]
    assert told
    assert all("add `preprocess` to --pipelines, or drop the parameter" in each for each in told)
    assert not any(message in each for each in faults(found("preprocess", "train", **changes)))


def test_stored_data_that_follow_another_rule_than_the_usual_one_are_refused(
    found: Find, project: Path, raw: Path
) -> None:
    preprocess(raw, project / "made", labels={"frames": "spaced", "empty_frames": "grid"})
    for name in ("03_primary/labelled_frames", "02_intermediate/histograms"):
        shutil.copytree(project / "made", project / DATA / name)

    told = faults(found("train", labels={"frames": "grid", "empty_frames": "none"}))

    for name, now, then in (("frames", "grid", "spaced"), ("empty_frames", "none", "grid")):
        wanted = f"labels.{name} is {now}, but the stored labelled frames were made with {then}"
        assert any(each.startswith(wanted) for each in told)


@pytest.mark.usefixtures("stores")
def test_what_a_preset_names_can_be_overruled_for_stored_data(found: Find) -> None:
    told = faults(found("train", preset="plain_lstm_4scale_sizeaware_960x540"))
    advice = "or use them as they are with `--params representation.downsample=nearest`"
    assert [each for each in told if each.endswith(advice)]


@pytest.mark.usefixtures("stores")
def test_data_made_with_other_parameters_than_the_configuration_has_are_told(found: Find) -> None:
    findings = found("train", representation=None)
    assert faults(findings) == []
    assert "(representation.bins 4 -> 10), and are used as they are" in warnings(findings)[0]


@pytest.mark.usefixtures("stores")
def test_what_is_stored_by_the_reference_says_nothing_to_contradict(
    found: Find, stores: Path
) -> None:
    for index in stores.rglob("*.index.json"):
        index.unlink()
    assert faults(found("train", representation={"bins": 7})) == []


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("dim", [8, 16])
def test_a_trained_detector_is_not_changed_by_parameters(
    found: Find, save_checkpoint: Save, dim: int
) -> None:
    path = save_checkpoint()
    detector = {"backbone": {"embed_dim": dim, "attention": {"dim_head": 8}}}
    told = faults(found("predict", checkpoint=str(path), detector=detector))
    fault = "detector.backbone.embed_dim is 16, but "
    assert told == [] if dim == 8 else told[0].startswith(fault)


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("options", [{}, {"preset": "rvt_tiny"}])
def test_the_detector_of_a_preset_that_is_not_used_is_told(
    found: Find, save_checkpoint: Save, options: dict[str, str]
) -> None:
    told = warnings(found("predict", checkpoint=str(save_checkpoint()), **options))
    is_told = any("which is used as it is: add `train` to --pipelines" in each for each in told)
    assert is_told == bool(options)


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quality": {"gap_ms": 9}}, "quality.gap_ms is read by no node of this run"),
        ({"checkpoint": "x.ckpt"}, "checkpoint is read by no node of this run"),
        ({"executor": "inline"}, "executor is read by no node of this run"),
        ({"predict": {"lanes": 3}}, "predict.splits, predict.lanes are read by no node"),
        ({"preset": "rvt_tiny"}, None),
    ],
)
def test_parameters_without_effect_are_told(
    found: Find, save_detections: Save, changes: dict[str, Any], message: str | None
) -> None:
    save_detections()
    told = warnings(found("evaluate", **(UNREAD | changes)))
    assert (
        [each for each in told if "no node" in each] == []
        if message is None
        else any(each.startswith(message) for each in told)
    )


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("pipeline", "has_effect"),
    [
        *(("predict", True), ("track", True), ("count", True), ("annotate", True)),
        ("export", False),
    ],
)
def test_a_recording_has_an_effect_where_results_are_named_by_it(
    found: Find, pipeline: str, *, has_effect: bool
) -> None:
    told = warnings(found(pipeline, env="recording"))
    unread = [each.partition(" read by no node")[0] for each in told if " by no node" in each]
    assert any(re.search(r"\brecording\b", each) for each in unread) != has_effect


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(("seconds", "is_older"), [(-60, True), (60, False)])
def test_detections_of_an_earlier_detector_are_told(
    found: Find, save_detections: Save, save_checkpoint: Save, seconds: int, *, is_older: bool
) -> None:
    index = save_detections()
    path = save_checkpoint("data/etram/06_models/detector.ckpt")
    now = path.stat().st_mtime
    os.utime(index, (now + seconds, now + seconds))
    told = warnings(found("evaluate", **UNREAD))
    assert any("the detections are older than the checkpoint" in each for each in told) == is_older
