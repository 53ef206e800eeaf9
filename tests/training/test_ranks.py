"""Two processes that train together, started by the launcher that users start them with.

This file is also the program that each of the processes runs.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.sequences.schedule import (
    Clip,
    Lanes,
    SamplingSettings,
    stream_parts,
    training_schedule,
)
from etram_pipeline.training import trainer as trainer_module
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.fit import fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.module import DetectionModule
from etram_pipeline.training.scoring import ValidationScore
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import build_trainer, quiet_lightning

Record = Callable[..., LabelledRecordings]
Gradients = list[dict[str, Tensor]]

NANO = DetectorConfig.model_validate(
    {
        "kind": "rvt",
        "backbone": {
            "kind": "maxvit",
            "embed_dim": 8,
            "partition_split": 1,
            "attention": {"dim_head": 8},
        },
    }
)
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
    """Forgets the keyframes of some lanes in one step."""

    bare_lanes: tuple[int, ...] = ()

    @override
    def training_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Any]:
        if batch_idx == NO_KEYFRAMES_AT:
            kept = [lane not in self.bare_lanes for lane in batch.keyframes[:, 1].tolist()]
            targets = tuple(
                target for target, keep in zip(batch.targets, kept, strict=True) if keep
            )
            batch = replace(batch, keyframes=batch.keyframes[kept], targets=targets)
        return super().training_step(batch, batch_idx)


class KillAt(Logger):
    """Kills the second process when a step is logged."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    @property
    @override
    def name(self) -> str:
        return "kill"

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == self._step - 1 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)

    @override
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...


def changed(settings: TrainSettings, **changes: object) -> TrainSettings:
    return TrainSettings.model_validate(settings.model_dump() | changes)


def train_and_look(
    train: LabelledRecordings, settings: TrainSettings, bare_lanes: tuple[int, ...], folder: Path
) -> Gradients:
    """Gradients of each step of a small transformer, as the optimizer gets them.

    Weights hardly move, as AdamW's first steps have one size however small a gradient, so that a
    difference in rounding would be magnified.
    """
    torch.manual_seed(1)
    score = ValidationScore({}, {}, ("box", "other"), "coco")
    module = Bare(NANO.build(2, 2), settings, score, {})
    module.bare_lanes = bare_lanes
    folder.mkdir(parents=True, exist_ok=True)
    probe = Probe()
    with quiet_lightning():
        trainer = build_trainer(settings, folder, score.monitor, [], scored=False)
        trainer.callbacks.insert(0, probe)
        trainer.fit(module, datamodule=ClipData(train, LabelledRecordings({}, {}), settings))
    return probe.gradients


def slow(settings: TrainSettings, **changes: object) -> TrainSettings:
    rate = {"learning_rate": 1e-9, "gradient_clip": None}
    return changed(settings, max_steps=4, clip_length=2, optimizer=rate, **changes)


def together(settings: TrainSettings) -> TrainSettings:
    return changed(settings, devices=2, launcher="torchrun", sampling={"kind": "stream"})


def uneven(record: Record) -> LabelledRecordings:
    """Recordings to validate on, of which one process has more to read than the other."""
    short, long = record(1, 8, first_seed=7), record(1, 40, first_seed=8)
    return LabelledRecordings({**short.frames, **long.frames}, {**short.labels, **long.labels})


def run(folder: Path) -> None:
    """What each of the two processes does: all of it, or what is left after one was killed."""
    import conftest

    torch.set_num_threads(1)
    record, blueprint, settings = (
        getattr(conftest, name).__wrapped__() for name in ("record", "blueprint", "settings")
    )
    erratic = blueprint.detector.model_copy(update={"erratic": True})
    data = record(4), uneven(record), blueprint.model_copy(update={"detector": erratic})
    loggers = []
    if not (folder / "gradients.pt").exists():
        two = changed(slow(settings), devices=2, launcher="torchrun")
        bare_lanes = (0, 1) if os.environ["RANK"] == "1" else ()
        gradients = train_and_look(record(4), two, bare_lanes, folder / "two")
        fit(*data, together(settings), folder / "whole")
        if os.environ["RANK"] == "0":
            torch.save(gradients, folder / "gradients.pt")
        loggers = [KillAt(7)]
    fit(*data, together(settings), folder / "parts", loggers)


def launch(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*command, "--nproc-per-node=2", __file__, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of trainings in two processes, one of which was killed and continued."""
    folder = tmp_path_factory.mktemp("ranks")
    killed = launch(folder)
    assert killed.returncode == 1, killed.stderr
    assert "SIGKILL" in killed.stderr
    assert torch.load(folder / "parts" / LAST)["global_step"] == 6
    continued = launch(folder)
    assert continued.returncode == 0, continued.stderr
    return folder


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_with_all_their_lanes(
    record: Record, settings: TrainSettings, trained: Path, tmp_path: Path
) -> None:
    """With states carried on, different numbers of objects, and once no keyframe in one of them."""
    one = slow(settings, lanes=4)
    expected = train_and_look(record(4), one, (1, 3), tmp_path)
    found: Gradients = torch.load(trained / "gradients.pt")
    assert len(found) == len(expected) == 4
    for step, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert list(ours) == list(theirs)
        largest = max(float(gradient.abs().max()) for gradient in theirs.values())
        assert largest > 0
        for name, gradient in theirs.items():
            torch.testing.assert_close(
                ours[name], gradient, rtol=1e-4, atol=1e-6 * largest, msg=f"{name} at step {step}"
            )


@pytest.mark.slow
def test_losses_of_two_processes_are_those_of_one_and_counts_add_up(
    record: Record, settings: TrainSettings, trained: Path, tmp_path: Path
) -> None:
    train_and_look(record(4), slow(settings, lanes=4), (1, 3), tmp_path)
    found, expected = (read_history(folder / HISTORY) for folder in (trained / "two", tmp_path))
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert {"train/loss", "train/num_foreground"} <= {name for _, name, _ in found}
    values = ([value for _, _, value in rows] for rows in (found, expected))
    np.testing.assert_allclose(*values, rtol=1e-4)


@pytest.mark.slow
def test_a_training_of_which_one_process_was_killed_goes_on_to_the_last_bit(trained: Path) -> None:
    whole, parts = trained / "whole", trained / "parts"
    assert (parts / HISTORY).read_text() == (whole / HISTORY).read_text()
    for name in (BEST, LAST):
        found, expected = (torch.load(folder / name) for folder in (parts, whole))
        for key, value in expected["state_dict"].items():
            assert torch.equal(found["state_dict"][key], value), key
        found_ranks, expected_ranks = (
            content["processes"]["each"] for content in (found, expected)
        )
        assert len(found_ranks) == len(expected_ranks) == 2
        for ours, theirs in zip(found_ranks, expected_ranks, strict=True):
            assert torch.equal(ours["lanes"][0], theirs["lanes"][0])
            assert torch.equal(ours["random"]["torch"], theirs["random"]["torch"])
    first, second = (rank["random"]["torch"] for rank in expected_ranks)
    assert not torch.equal(first, second)


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


@pytest.mark.parametrize(("devices", "synchronised"), [(1, False), (2, True)])
def test_batch_statistics_are_those_of_all_gpus(
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: int,
    synchronised: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(trainer_module, "Trainer", lambda **options: options)
    on_gpus = changed(settings, accelerator="gpu", devices=devices, launcher="torchrun")
    options: Any = build_trainer.__wrapped__(on_gpus, tmp_path, "val/AP", [], scored=True)
    assert options["sync_batchnorm"] is synchronised


if __name__ == "__main__":
    run(Path(sys.argv[1]))
