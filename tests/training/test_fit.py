"""Whole trainings of a small detector."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.loggers import Logger
from typing_extensions import override

from etram_pipeline.clips.schedule import SamplingSettings
from etram_pipeline.core.errors import CheckpointError, LabelError, StoreError
from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import DivergedError

Record = Callable[..., LabelledRecordings]
RANDOM = SamplingSettings(kind="random")


class At(Logger):
    """Does something when a step is logged."""

    def __init__(self, step: int, action: Callable[[], object]) -> None:
        super().__init__()
        self._step, self._action = step, action

    @property
    @override
    def name(self) -> str:
        return "at"

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == self._step - 1 and "train/loss" in metrics:
            self._action()

    @override
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...


def fail() -> None:
    raise RuntimeError("power cut")


def interrupt() -> None:
    raise KeyboardInterrupt


def changed(settings: TrainSettings, **changes: object) -> TrainSettings:
    return TrainSettings.model_validate(settings.model_dump() | changes)


def changed_validation(settings: TrainSettings, **changes: object) -> TrainSettings:
    return changed(settings, validation=settings.validation.model_dump() | changes)


def curve(folder: Path, name: str = "train/loss") -> list[tuple[int, float]]:
    """Step and value of one metric."""
    rows = read_history(folder / HISTORY)
    return [(step, value) for step, metric, value in rows if metric == name]


def weights(path: Path, key: str = "state_dict") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(path)[key]
    return found


def test_the_detector_learns_and_the_best_checkpoint_is_the_one_that_found_most(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    longer = changed_validation(changed(settings, max_steps=90, lanes=4), every_steps=30)
    best = fit(record(4), record(1, first_seed=9), blueprint, longer, tmp_path)
    losses = [value for _, value in curve(tmp_path)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    scores = dict(curve(tmp_path, "val/coco/AP"))
    assert list(scores) == [30, 60, 90]
    assert max(scores.values()) > 0
    assert scores[torch.load(best)["global_step"]] == max(scores.values())


def test_one_seed_gives_one_loss_curve_whatever_the_number_of_workers(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    curves = []
    for run, (seed, workers) in enumerate([(3, 0), (3, 0), (3, 2), (4, 0)]):
        varied = changed(settings, max_steps=5, seed=seed, workers=workers)
        fit(record(3), record(1), blueprint, varied, tmp_path / str(run))
        curves.append(curve(tmp_path / str(run)))
    assert [step for step, _ in curves[0]] == [1, 2, 3, 4, 5]
    assert curves[0] == curves[1] == curves[2]
    assert curves[0] != curves[3]


@pytest.mark.parametrize("damaged", [{BEST}, {BEST, LAST}, {"finished.json"}])
def test_a_finished_training_that_was_damaged_is_mended(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    damaged: set[str],
) -> None:
    train, val = record(2), record(1, first_seed=9)
    fit(train, val, blueprint, settings, tmp_path)
    before = curve(tmp_path)
    for name in damaged:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()  # best and last may be one file
        (tmp_path / name).write_bytes(content[: len(content) // 2])

    best = fit(train, val, blueprint, settings, tmp_path)

    assert weights(best)
    assert curve(tmp_path) == before


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("clip_by", ["value", "norm"])
def test_low_precision_learns_nearly_the_same_with_clipped_gradients(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    precision: str,
    clip_by: str,
) -> None:
    curves = {}
    for name in ("32", precision):
        optimizer = settings.optimizer.model_dump(serialize_as_any=True)
        clipped = optimizer | {"gradient_clip": 0.01, "clip_by": clip_by}
        varied = changed(settings, precision=name, optimizer=clipped)
        fit(record(2), record(1), blueprint, varied, tmp_path / name)
        curves[name] = [value for _, value in curve(tmp_path / name)]
    assert curves[precision] == pytest.approx(curves["32"], rel=0.05)


def test_a_single_recording_trains_in_many_lanes(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    one = record(1)
    fit(one, one, blueprint, changed(settings, lanes=4, workers=1), tmp_path)
    assert len(curve(tmp_path)) == settings.max_steps


@pytest.mark.parametrize("num_recordings", [0, 2])
def test_without_a_label_to_validate_on_the_last_state_is_the_best(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    num_recordings: int,
) -> None:
    bare = record(num_recordings, num_windows=1, first_seed=5)
    with_patience = changed_validation(settings, patience=1)
    best = fit(record(2), bare, blueprint, with_patience, tmp_path)
    assert torch.load(best)["global_step"] == settings.max_steps
    assert not curve(tmp_path, "val/coco/AP")


@pytest.mark.parametrize("average_decay", [None, 0.9])
@pytest.mark.parametrize("step", [4, 5, 7])
def test_an_interrupted_training_continues_as_if_nothing_had_happened(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    step: int,
    average_decay: float | None,
) -> None:
    """Without memory between clips, even the weights agree to the last bit."""
    settings = changed(settings, sampling=RANDOM, average_decay=average_decay)
    train, val = record(3), record(1, first_seed=7)
    whole = fit(train, val, blueprint, settings, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(train, val, blueprint, settings, tmp_path / "parts", [At(step, fail)])
    parts = fit(train, val, blueprint, settings, tmp_path / "parts")
    for name in ("train/loss", "train/learning_rate", "val/coco/AP"):
        assert curve(tmp_path / "parts", name) == curve(tmp_path / "whole", name)
    for key in ("state_dict", "learning_state_dict") if average_decay else ("state_dict",):
        expected = weights(whole.with_name(LAST), key)
        for name, found in weights(parts.with_name(LAST), key).items():
            assert torch.equal(found, expected[name]), name


def test_a_killed_training_continues_where_it_was_last_saved(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; "
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "import conftest, test_fit; from etram_pipeline.training.fit import fit; "
        "record, blueprint, settings = [getattr(conftest, name).__wrapped__() "
        "for name in ('record', 'blueprint', 'settings')]; "
        "kill = lambda: os.kill(os.getpid(), signal.SIGKILL); "
        f"fit(record(2), record(1), blueprint, settings, Path({str(tmp_path)!r}), "
        "[test_fit.At(7, kill)])"
    )
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", script], check=False, env=one_thread)
    assert killed.returncode == -signal.SIGKILL
    assert torch.load(tmp_path / LAST)["global_step"] == 6
    fit(record(2), record(1), blueprint, settings, tmp_path)
    assert [step for step, _ in curve(tmp_path)] == list(range(1, 9))


def test_a_checkpoint_cut_short_does_not_block(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        fit(record(2), record(1), blueprint, settings, tmp_path, [At(8, fail)])
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).unlink()
    (tmp_path / LAST).write_bytes(content[: len(content) // 2])
    fit(record(2), record(1), blueprint, settings, tmp_path)
    assert [step for step, _ in curve(tmp_path)] == list(range(1, 9))


def test_a_finished_training_is_not_repeated_but_can_be_prolonged(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    train, val = record(2), record(1)
    best = fit(train, val, blueprint, settings, tmp_path)
    before = best.stat().st_mtime_ns
    assert fit(train, val, blueprint, settings, tmp_path, [At(1, fail)]) == best
    assert best.stat().st_mtime_ns == before
    fit(train, val, blueprint, changed(settings, max_steps=12), tmp_path)
    assert [step for step, _ in curve(tmp_path)] == list(range(1, 13))


def test_a_training_killed_just_before_its_end_is_recognised_as_finished(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    train, val = record(2), record(1)
    fit(train, val, blueprint, settings, tmp_path)
    for name in ("finished.json", BEST):
        (tmp_path / name).unlink()
        assert fit(train, val, blueprint, settings, tmp_path, [At(1, fail)]).exists()
        assert (tmp_path / "finished.json").exists()
    assert len(curve(tmp_path)) == settings.max_steps


def test_training_stops_early_when_validation_no_longer_improves(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    still = changed(settings, max_steps=40, optimizer={"learning_rate": 1e-9})
    patient = changed_validation(still, patience=2, every_steps=4)
    fit(record(2), record(1), blueprint, patient, tmp_path)
    assert [step for step, _ in curve(tmp_path, "val/coco/AP")] == [4, 8, 12]
    assert len(curve(tmp_path)) == 12


def test_ctrl_c_reaches_the_caller_and_still_works_afterwards(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(record(2), record(1), blueprint, settings, tmp_path, [At(5, interrupt)])
    assert signal.getsignal(signal.SIGINT) == handler
    assert (tmp_path / LAST).exists()


STOPPED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import conftest, test_fit
from pathlib import Path
from etram_pipeline.training.fit import fit
record, blueprint, settings = [
    getattr(conftest, name).__wrapped__() for name in ("record", "blueprint", "settings")
]
stop = lambda: os.killpg(0, int(sys.argv[3]))
settings = test_fit.changed(settings, workers=2)
fit(record(2), record(1), blueprint, settings, Path(sys.argv[2]), [test_fit.At(5, stop)])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)]
)
def test_a_signal_to_all_processes_ends_after_the_step_and_loses_nothing(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED, str(Path(__file__).parent), str(tmp_path), str(number)],
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
        capture_output=True,
        text=True,
    )
    assert stopped.returncode == code
    assert "stopped at step 6 of 8; the same command continues from there" in stopped.stderr
    assert torch.load(tmp_path / LAST)["global_step"] == 6
    assert not list(tmp_path.glob(".*.partial"))
    fit(record(2), record(1), blueprint, settings, tmp_path)
    assert [step for step, _ in curve(tmp_path)] == list(range(1, 9))


def test_a_second_signal_ends_at_once(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    def press_twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    rarely = changed(settings, checkpoint_every_steps=100)
    with pytest.raises(KeyboardInterrupt, match="immediately; the same command continues from"):
        fit(record(2), record(1), blueprint, rarely, tmp_path, [At(6, press_twice)])
    assert torch.load(tmp_path / LAST)["global_step"] == 4


def test_sigterm_ends_with_the_code_of_a_signal(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    def terminate() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        fit(record(2), record(1), blueprint, settings, tmp_path, [At(3, terminate)])
    assert ended.value.code == 143


def test_training_works_outside_the_main_thread(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    arguments = (record(2), record(1), blueprint, settings, tmp_path)
    thread = threading.Thread(target=fit, args=arguments)
    thread.start()
    thread.join()
    assert (tmp_path / "finished.json").exists()


def test_the_average_of_the_weights_is_what_a_checkpoint_shows(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    best = fit(record(2), record(1), blueprint, changed(settings, average_decay=0.99), tmp_path)
    average, learning = weights(best), weights(best, "learning_state_dict")
    assert not torch.equal(average["detector.head.weight"], learning["detector.head.weight"])
    assert average["detector.stem.1.num_batches_tracked"] > 0


def test_gradients_of_several_batches_make_one_step(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    optimizer = settings.optimizer.model_dump() | {"accumulate": 3}
    best = fit(record(2), record(1), blueprint, changed(settings, optimizer=optimizer), tmp_path)
    last = torch.load(best.with_name(LAST))
    assert last["global_step"] == settings.max_steps
    num_windows = last["state_dict"]["detector.stem.1.num_batches_tracked"]
    assert num_windows == 3 * settings.max_steps * settings.clip_length
    assert [step for step, _ in curve(tmp_path, "val/coco/AP")] == [4, 8]


def test_frozen_weights_and_statistics_stay_as_they_were(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    first = fit(record(2), record(1), blueprint, settings, tmp_path / "first")
    with pytest.raises(CheckpointError):  # a follower is no part of the package
        read_checkpoint(first)
    frozen = changed(settings, freeze=("stem",))
    second = fit(record(2), record(1), blueprint, frozen, tmp_path / "second")
    stem = weights(second)
    assert stem["detector.stem.1.num_batches_tracked"] == 0
    assert torch.equal(stem["detector.stem.1.running_mean"], torch.zeros(8))
    start = weights(tmp_path / "second" / BEST)["detector.stem.0.weight"]
    assert torch.equal(start, weights(tmp_path / "second" / LAST)["detector.stem.0.weight"])


def test_a_prefix_that_freezes_nothing_is_refused(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no parameter starts with 'backbone'; they start with"):
        fit(record(1), record(1), blueprint, changed(settings, freeze=("backbone",)), tmp_path)


def test_boxes_of_a_class_that_does_not_exist_are_refused(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    train = record(2)
    train.labels["train/r1"].labels["class_id"][3] = 2
    with pytest.raises(LabelError, match="train/r1 has boxes of class 2, but there are 2 classes"):
        fit(train, record(1), blueprint, settings, tmp_path)


def test_a_loss_that_is_no_number_ends_the_training(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    hasty = changed(settings, optimizer={"learning_rate": 1e30, "gradient_clip": None})
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf) at step \d; lower train"):
        fit(record(2), record(1), blueprint, hasty, tmp_path)


def test_nothing_to_train_on_is_an_error(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="no recording to train on"):
        fit(record(0), record(1), blueprint, settings, tmp_path)


@pytest.fixture
def nano() -> Blueprint:
    """A recurrent vision transformer of the smallest size that fits 32 px."""
    rvt = DetectorConfig.model_validate(
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
    return Blueprint(detector=rvt, class_names=("box", "other"), dataset_fingerprint="abc")


def test_the_best_checkpoint_describes_itself_and_starts_another_training(
    record: Record, nano: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    best = fit(record(2), record(1), nano, settings, tmp_path / "first")
    found = read_checkpoint(best)
    assert found.detector_config == nano.detector
    assert found.class_names == ("box", "other")
    assert found.dataset_fingerprint == "abc"
    assert found.downsampled_by == 1
    other = nano.model_copy(update={"class_names": ("a", "b", "c")})
    tuned = changed(settings, start_from=str(best), freeze=("backbone", "neck"))
    second = fit(record(2), record(1), other, tuned, tmp_path / "second")
    first_weights, second_weights = weights(best), weights(second)
    for name, value in first_weights.items():
        if name.startswith(("detector.backbone", "detector.neck")):
            assert torch.equal(value, second_weights[name]), name
