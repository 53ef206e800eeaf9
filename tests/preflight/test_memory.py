import re
import shutil
from collections import namedtuple
from typing import Any

import pytest
from tests.preflight.conftest import Find, Save, faults, warnings

from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.workload import Workload
from etram_pipeline.preflight.memory import MemoryNeed, RepresentationSize

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train": {"lanes": 100_000_000}},
            r"train\.lanes=100000000 of 5 windows .* lower train\.l",
        ),
        ({"train": {"clip_length": 10**9}}, r"train\.lanes=12 of 1000000000 windows"),
        ({"train": {"workers": 10**6}}, r"read ahead by 1000000 processes"),
        ({"train": {"lanes": 50}}, None),
        ({"predict": {"lanes": 100_000}}, None),  # no more lanes are read than there are recordings
        ({"predict": {"workers": 10**6}}, r"predict\.lanes=1 of 1 windows .* by 1000000 processes"),
    ],
)
def test_what_no_memory_can_hold_is_refused(
    found: Find, changes: dict[str, Any], message: str | None
) -> None:
    told = faults(found("__default__", **changes))
    assert told == [] if message is None else re.search(message, told[0])


@pytest.mark.usefixtures("stores")
def test_a_clip_is_no_longer_than_the_longest_recording(found: Find, save_checkpoint: Save) -> None:
    checkpoint = str(save_checkpoint())
    unread = dict.fromkeys(("train", "evaluate", "labels"))
    assert found("predict", checkpoint=checkpoint, predict={"clip_length": 10**9}, **unread) == []


@pytest.mark.parametrize("executor", [{"kind": "processes", "workers": 10**6}, "inline"])
def test_no_more_workers_are_counted_than_there_are_recordings(
    found: Find, executor: object
) -> None:
    assert faults(found("preprocess", executor=executor)) == []


def test_lanes_named_as_fitting_fit() -> None:
    frame = RepresentationSize(20, 360, 640)
    computing = rvt.Config().working_bytes(frame.clip(5), training=True)
    need = MemoryNeed(100, 5, 1, computing)
    per_lane = need.num_bytes(frame, lanes=2) - need.num_bytes(frame, lanes=1)
    assert need.num_bytes(frame) == pytest.approx(need.num_bytes(frame, lanes=1) + 99 * per_lane)
    assert 20e9 < need.num_bytes(frame, lanes=12) < 40e9


def test_a_clip_has_as_many_keyframes_as_labels_but_at_least_one() -> None:
    frame = RepresentationSize(20, 90, 160, labelled=0.25)
    assert frame.clip(20) == Workload(90, 160, num_windows=20, num_keyframes=5.0)
    assert frame.clip(2).num_keyframes == 1
    assert frame.clip(2, scale=1.5) == Workload(135, 240, num_windows=2, num_keyframes=1.0)


@pytest.mark.parametrize(
    ("free", "num_faults", "num_warnings"), [(10**12, 0, 0), (50_000, 0, 1), (1_000, 1, 0)]
)
def test_a_disk_too_small_for_the_histograms_is_told(
    found: Find,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    num_faults: int,
    num_warnings: int,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12 - free, free))
    findings = found("__default__")
    assert len(faults(findings)) == num_faults
    assert len(warnings(findings)) == num_warnings
    assert all("the histograms to be made will take about" in each.message for each in findings)


@pytest.mark.usefixtures("stores")
def test_histograms_that_are_there_need_no_more_room(
    found: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 0))
    assert faults(found("preprocess")) == []
