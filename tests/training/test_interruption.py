"""Trainings that are stopped, killed or finished, and go on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.training.conftest import Record
from tests.training.runs import At, changed, changed_validation, curve, fail, interrupt, weights

from etram_pipeline.clips.schedule import SamplingSettings
from etram_pipeline.models.checkpoint import PAYLOAD_KEY
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.settings import TrainSettings

RANDOM = SamplingSettings(kind="random")


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
        "import conftest, runs; from etram_pipeline.training.fit import fit; "
        "record, blueprint, settings = [getattr(conftest, name).__wrapped__() "
        "for name in ('record', 'blueprint', 'settings')]; "
        "kill = lambda: os.kill(os.getpid(), signal.SIGKILL); "
        f"fit(record(2), record(1), blueprint, settings, Path({str(tmp_path)!r}), "
        "[runs.At(7, kill)])"
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


def test_what_a_validation_finds_is_stored_only_with_the_weights_it_was_found_for(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    validated = changed_validation(changed(settings, max_steps=90, lanes=4), every_steps=30)
    with pytest.raises(KeyboardInterrupt):
        fit(record(4), record(1), blueprint, validated, tmp_path, [At(65, interrupt)])
    best, last = (torch.load(tmp_path / name) for name in (BEST, LAST))
    assert best["global_step"] in {30, 60}
    assert 60 < last["global_step"] < 90
    found = {"operating_scores", "calibration"}
    assert found <= best[PAYLOAD_KEY].keys()
    assert not found & last[PAYLOAD_KEY].keys()


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
import conftest, runs
from pathlib import Path
from etram_pipeline.training.fit import fit
record, blueprint, settings = [
    getattr(conftest, name).__wrapped__() for name in ("record", "blueprint", "settings")
]
stop = lambda: os.killpg(0, int(sys.argv[3]))
settings = runs.changed(settings, workers=2)
try:
    fit(record(2), record(1), blueprint, settings, Path(sys.argv[2]), [runs.At(5, stop)])
except KeyboardInterrupt as error:  # unhandled, its exit code depends on what libraries do at exit
    print(error, file=sys.stderr)
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)],
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
