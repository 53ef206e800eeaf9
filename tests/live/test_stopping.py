"""Signals end the program when what it has begun is done."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import av
import pytest
from tests.live.conftest import SIZE
from tests.live.test_command import lines_of
from tests.streaming.moving import as_recording, moving

from etram_pipeline.live.stopping import StoppedError, Stopping


def test_a_signal_lets_the_current_result_be_shown_to_its_end() -> None:
    shown = []
    with Stopping() as stopping:
        for number in stopping.until_stopped(iter(range(5))):
            if number == 2:
                signal.raise_signal(signal.SIGTERM)
            shown.append(number)
        assert stopping.received == signal.SIGTERM
    assert shown == [0, 1, 2]


def test_a_signal_ends_waiting_for_a_result() -> None:
    def silent() -> Iterator[int]:
        yield 0
        main = threading.main_thread().ident
        threading.Timer(0.01, lambda: signal.pthread_kill(main or 0, signal.SIGINT)).start()
        threading.Event().wait()
        yield 1

    with Stopping() as stopping:
        assert list(stopping.until_stopped(silent())) == [0]
        assert stopping.received == signal.SIGINT


def test_a_signal_before_the_first_result_ends_what_goes_on() -> None:
    with Stopping() as stopping, pytest.raises(StoppedError):
        signal.raise_signal(signal.SIGINT)
    assert stopping.received == signal.SIGINT


def test_the_second_signal_ends_at_once_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Stopping() as stopping:
        next(stopping.until_stopped(iter(range(5))))
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_files_are_whole_after_a_signal(
    detector: str, tmp_path: Path, number: signal.Signals
) -> None:
    path = as_recording(tmp_path, moving(60_000_000, rate_hz=2_000))
    lines, video = tmp_path / "out.jsonl", tmp_path / "out.mp4"
    command = [sys.executable, "-m", "etram_pipeline.live", detector, str(path), *SIZE]
    command += ["--page", "0", "--json", str(lines), "--video", str(video)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        page = process.stderr.readline().removeprefix("page: ").strip()
        with urlopen(page) as answer:  # of the page just started
            assert b"etram-live" in answer.read()
        while not (lines.exists() and lines.stat().st_size) and process.poll() is None:
            threading.Event().wait(0.01)
        process.send_signal(number)
        summary = process.stderr.read().splitlines()
    assert process.returncode == 128 + number
    assert any(" x real time: " in line for line in summary), summary
    assert any(line.startswith("latency p50 ") for line in summary), summary
    found = lines_of(lines.read_text())
    assert found
    assert lines.read_text().endswith("\n")
    with av.open(video) as container:
        assert 1 <= len(list(container.decode(video=0))) <= found[-1].t // 50_000
    assert not list(tmp_path.glob("*.partial"))
