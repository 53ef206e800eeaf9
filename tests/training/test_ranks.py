"""Two processes that train together, in the environment in which a launcher starts them."""

import multiprocessing
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from tests.models.detector_choices import SMALL
from tests.training.runs import NANO, RTDETR, At, changed
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.clips.schedule import (
    Clip,
    Lanes,
    SamplingSettings,
    stream_parts,
    training_schedule,
)
from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.module import DetectionModule
from etram_pipeline.training.scoring import ValidationScore
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import build_trainer, quiet_lightning

Record = Callable[..., LabelledRecordings]
Gradients = list[dict[str, Tensor]]

NO_KEYFRAMES_AT = 2
"""Step, counted from 0, at which the lanes of the second process have nothing to learn from."""


class Probe(Callback):
    """Keeps gradients, and batch normalisation as it is: it would see half of the batch."""

    def __init__(self) -> None:
        self.gradients: Gradients = []

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *_: object
    ) -> None:
        for module in pl_module.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    @override
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, *_: object
    ) -> None:
        named = pl_module.named_parameters()
        self.gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})


class Bare(DetectionModule):
    """Forgets half of the keyframes of some lanes, and in one step all of them."""

    bare_lanes: tuple[int, ...] = ()

    @override
    def training_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Any]:
        first_window = 4 if batch_idx == NO_KEYFRAMES_AT else 2
        kept = [
            lane not in self.bare_lanes or window >= first_window
            for window, lane in batch.keyframes.tolist()
        ]
        targets = tuple(target for target, keep in zip(batch.targets, kept, strict=True) if keep)
        thinned = replace(batch, keyframes=batch.keyframes[kept], targets=targets)
        return super().training_step(thinned, batch_idx)


def kill_second() -> None:
    """Kill the second process."""
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)


def train_and_look(
    detector: DetectorConfig,
    train: LabelledRecordings,
    settings: TrainSettings,
    bare_lanes: tuple[int, ...],
    folder: Path,
) -> Gradients:
    """Gradients of each step of a small detector, as the optimizer gets them.

    Weights hardly move, as AdamW's first steps have one size however small a gradient, so that a
    difference in rounding would be magnified.
    """
    torch.manual_seed(1)
    score = ValidationScore({}, {}, ("box", "other"), "coco")
    module = Bare(detector.build(2, 2), settings, score, {})
    module.bare_lanes = bare_lanes
    folder.mkdir(parents=True, exist_ok=True)
    probe = Probe()
    with quiet_lightning():
        trainer = build_trainer(settings, folder, score.monitor, [], scored=False)
        trainer.callbacks.insert(0, probe)  # type: ignore[attr-defined]
        trainer.fit(module, datamodule=ClipData(train, LabelledRecordings({}, {}), settings))
    return probe.gradients


def slow(settings: TrainSettings, **changes: object) -> TrainSettings:
    rate = {"learning_rate": 1e-9, "gradient_clip": None}
    return changed(settings, max_steps=4, optimizer=rate, **changes)


def uneven(record: Record) -> LabelledRecordings:
    """Recordings to validate on, of which one process has more to read than the other."""
    short, long = record(1, 8, first_seed=7), record(1, 40, first_seed=8)
    return LabelledRecordings({**short.frames, **long.frames}, {**short.labels, **long.labels})


def play(rank: int, port: int, train: Callable[[], object]) -> None:
    """Be one of the processes that `torchrun --nproc-per-node=2` starts."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"}
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test"}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    train()


def in_two_processes(train: Callable[[], object]) -> list[int | None]:
    """Exit codes of two processes that train together."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=play, args=(rank, port, train)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(150)
    return [process.exitcode for process in processes]


@pytest.mark.parametrize(
    "detector",
    [
        NANO,
        RTDETR.model_copy(update={"num_denoising": 0}),  # denoising draws for each process
        DetectorConfig.model_validate({"kind": "rf_detr"} | SMALL["rf_detr"]),
        DetectorConfig.model_validate({"kind": "yolox"} | SMALL["yolox"]),
    ],
    ids=lambda detector: detector.kind,
)
def test_two_processes_have_the_gradients_and_losses_of_one_with_all_their_lanes(
    record: Record, settings: TrainSettings, tmp_path: Path, detector: DetectorConfig
) -> None:
    """With states carried on, different numbers of objects, and once no keyframe in one of them."""
    train = record(4)

    def train_half() -> None:
        two = changed(slow(settings), devices=2, launcher="torchrun")
        bare_lanes = (0, 1) if os.environ["RANK"] == "1" else ()
        gradients = train_and_look(detector, train, two, bare_lanes, tmp_path / "two")
        if os.environ["RANK"] == "0":
            torch.save(gradients, tmp_path / "gradients.pt")

    assert in_two_processes(train_half) == [0, 0]
    one = slow(settings, lanes=4)
    expected = train_and_look(detector, train, one, (1, 3), tmp_path / "one")
    found: Gradients = torch.load(tmp_path / "gradients.pt")
    assert len(found) == len(expected) == 4
    for step, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert list(ours) == list(theirs)
        largest = max(float(gradient.abs().max()) for gradient in theirs.values())
        assert largest > 0
        for name, gradient in theirs.items():
            torch.testing.assert_close(
                ours[name], gradient, rtol=1e-4, atol=1e-6 * largest, msg=f"{name} at step {step}"
            )
    rows = [read_history(tmp_path / name / HISTORY) for name in ("two", "one")]
    assert [row[:2] for row in rows[0]] == [row[:2] for row in rows[1]]
    assert {"train/loss", "train/num_foreground"} <= {name for _, name, _ in rows[0]}
    values = [[row[2] for row in run] for run in rows]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4)


def test_a_training_of_which_one_process_was_killed_goes_on_to_the_last_bit(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    erratic = blueprint.detector.model_copy(update={"erratic": True})
    data = record(4), uneven(record), blueprint.model_copy(update={"detector": erratic})
    two = changed(settings, devices=2, launcher="torchrun", sampling={"kind": "stream"})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert in_two_processes(lambda: fit(*data, two, whole)) == [0, 0]
    codes = in_two_processes(lambda: fit(*data, two, parts, [At(7, kill_second)]))
    assert codes == [1, -signal.SIGKILL]
    assert torch.load(parts / LAST)["global_step"] == 6
    assert in_two_processes(lambda: fit(*data, two, parts)) == [0, 0]
    assert (parts / HISTORY).read_text() == (whole / HISTORY).read_text()
    processes: list[list[dict[str, Any]]] = []
    for name in (BEST, LAST):
        found, expected = (torch.load(folder / name) for folder in (parts, whole))
        for key, value in expected["state_dict"].items():
            assert torch.equal(found["state_dict"][key], value), key
        processes = [content["processes"]["each"] for content in (found, expected)]
        for ours, theirs in zip(*processes, strict=True):
            assert torch.equal(ours["lanes"][0], theirs["lanes"][0])
            assert torch.equal(ours["random"]["torch"], theirs["random"]["torch"])
    first, second = (process["random"]["torch"] for process in processes[0])
    assert not torch.equal(first, second)


def test_two_processes_go_on_from_a_checkpoint_of_one_with_empty_memory(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    data = record(4), record(1, first_seed=7), blueprint
    fit(*data, settings, tmp_path)
    two = changed(settings, devices=2, launcher="torchrun", max_steps=10)
    assert in_two_processes(lambda: fit(*data, two, tmp_path)) == [0, 0]
    last = torch.load(tmp_path / LAST)
    assert last["global_step"] == 10
    assert len(last["processes"]["each"]) == 2


def windows(num_recordings: int) -> dict[str, np.ndarray[Any, Any]]:
    """Labelled windows of recordings of different lengths, with gaps."""
    rng = np.random.default_rng(0)
    return {f"r{n}": np.unique(rng.integers(0, 40 + 25 * n, 12 + n)) for n in range(num_recordings)}


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_every_part_is_read_once_by_some_process_before_any_is_read_again(num_ranks: int) -> None:
    frame_windows, length = windows(7), 5
    sampling = SamplingSettings(kind="stream")
    steps_of_ranks = [
        training_schedule(frame_windows, sampling, Lanes(2, rank, num_ranks), length, seed=3)
        for rank in range(num_ranks)
    ]
    parts = sum(len(stream_parts(name, frame_windows[name], length)) for name in frame_windows)
    begun: Counter[tuple[str, int]] = Counter()
    running: dict[tuple[int, int], Clip] = {}
    while sum(begun.values()) < 3 * parts:
        for rank, steps in enumerate(steps_of_ranks):
            for lane, clip in enumerate(next(steps)):
                assert clip is not None
                if clip.starts:
                    begun[clip.recording, clip.start] += 1
                else:
                    assert running[rank, lane].stop == clip.start
                    assert running[rank, lane].recording == clip.recording
                running[rank, lane] = clip
        # Lanes take parts side by side, so as many as there are lanes may be of the next pass.
        ahead = max(begun.values()) - 1
        missing = sum(max(ahead - begun[key], 0) for key in begun) + ahead * (parts - len(begun))
        assert missing == 0
    assert len(begun) == parts


@pytest.mark.parametrize("kind", ["stream", "random", "mixed"])
def test_processes_read_together_what_one_with_all_their_lanes_reads(kind: str) -> None:
    frame_windows = windows(5)
    sampling = SamplingSettings.model_validate({"kind": kind})
    one = training_schedule(frame_windows, sampling, Lanes(8), 5, seed=3)
    ranks = [training_schedule(frame_windows, sampling, Lanes(4, r, 2), 5, seed=3) for r in (0, 1)]
    for _ in range(30):
        assert Counter(next(one)) == Counter(next(ranks[0]) + next(ranks[1]))
