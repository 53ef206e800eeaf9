"""No damage to a recording crashes a reader, stops it, or makes it break a promise."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import PROJECT
from tests.events.conftest import FORMATS, MakeEvents, WriteRecording
from tests.events.formats.fuzz import damaged_copies

NUM_COPIES = 200
SECONDS = 240

FRESH_SEED = int(os.environ.get("FUZZ_SEED") or time.time_ns() % 2**32)
"""Another one each time; it is part of the names of tests, and `FUZZ_SEED=…` repeats it."""

NUM_FRESH_COPIES = int(os.environ.get("FUZZ_COPIES") or 8000)

FUZZED = (*FORMATS, "npy")


def fuzz(path: Path, seed: int, num_copies: int) -> list[str]:
    """What went wrong in reading damaged copies of a recording."""
    copy = path.with_name("damaged")
    numbers = (str(seed), str(num_copies))
    command = [sys.executable, "-m", "tests.events.formats.fuzz", str(path), str(copy), *numbers]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    faults = done.stdout.splitlines()
    if done.returncode:
        trial = copy.with_suffix(".trial")
        name = trial.read_text() if trial.exists() else "the whole recording"
        faults.append(f"{name}: ended with {done.returncode}: {done.stderr[-2000:]}")
    return faults


@pytest.mark.parametrize("file_format", FUZZED)
def test_damage_is_an_error_or_leaves_a_recording_that_keeps_its_promises(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    path = write_recording(file_format, make_events(2500))

    assert fuzz(path, seed=1, num_copies=NUM_COPIES) == []


@pytest.mark.thorough
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("seed", [FRESH_SEED])
@pytest.mark.parametrize("file_format", FUZZED)
def test_much_more_damage_does_no_more_harm(
    seed: int, file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    path = write_recording(file_format, make_events(2500))

    assert fuzz(path, seed, num_copies=NUM_FRESH_COPIES) == []


def test_the_copies_are_damaged_and_the_same_in_every_run() -> None:
    content = bytes(range(256)) * 20

    copies = list(damaged_copies(content, seed=1, number=80))

    assert copies == list(damaged_copies(content, seed=1, number=80))
    assert sum(copy == content for _, copy in copies) <= 2
    assert len({copy for _, copy in copies}) > 90
