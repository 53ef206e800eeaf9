"""What is wrong is said in one line, with the exit code that it has."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.live.conftest import SIZE
from tests.live.test_command import AT_ONCE, run

LOOPBACK = "127.0.0.1"


def fault(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is said."""
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize(
    ("source", "options", "code", "words"),
    [
        ("nothing.raw", (), 1, "nothing.raw: there is no such file"),
        ("udp://127.0.0.1", (), 1, "'udp://127.0.0.1' has no port"),
        ("tcp://127.0.0.1:x", (), 1, "has no port"),
        ("metavision:", (), 1, "needs metavision_core"),
        ("inivation:DAVIS", (), 1, "needs dv_processing"),
        ("udp://127.0.0.1:7000", ("--speed", "2"), 2, "are for recordings"),
        ("street.raw", ("--sensor-size", "big"), 2, "which is no size such as 1280x720"),
        ("street.raw", ("--page", "here"), 1, "is no place for a page"),
        ("street.raw", ("--when-slow", "merge"), 2, "'merge' is not one of"),
        ("street.raw", ("--json", "/nowhere/out.jsonl", *SIZE), 1, "No such file or directory"),
        ("street.raw", ("--faster",), 2, "No such option"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(  # noqa: PLR0913  # a column each
    *,
    detector: str,
    source: str,
    options: tuple[str, ...],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for camera in ("metavision_core", "dv_processing"):
        monkeypatch.setitem(sys.modules, camera, None)
    np.save("street.npy", np.zeros(0, [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")]))
    Path("street.npy").rename("street.raw")
    assert run(detector, source, *options) == code
    assert words in fault(capsys)


def test_a_file_that_is_no_detector_is_refused(
    recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(recording, recording, *AT_ONCE) == 1
    assert "is not an ONNX file" in fault(capsys)


@pytest.mark.parametrize("option", ["--json", "--video"])
@pytest.mark.parametrize("what", ["detector", "recording"])
def test_no_output_replaces_what_is_read(
    what: str,
    option: str,
    detector: str,
    recording: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    spared = Path(detector if what == "detector" else recording)
    other_name = tmp_path / "link"
    other_name.symlink_to(spared)
    before = spared.read_bytes()
    assert run(detector, recording, option, str(other_name), *AT_ONCE) == 1
    assert f"would replace the {what}: give another file" in fault(capsys)
    assert spared.read_bytes() == before


def test_two_outputs_are_two_files(
    detector: str, recording: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    assert run(detector, recording, "--json", out, "--video", out, *AT_ONCE) == 1
    assert "would replace what --json writes" in fault(capsys)
    assert not Path(out).exists()


def test_without_a_source_there_is_nothing_to_do(
    detector: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(detector) == 2
    assert "give a SOURCE, or --check" in fault(capsys)


def test_another_sensor_is_refused(
    detector: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(detector, recording, "--as-fast-as-possible", "--sensor-size", "640x480") == 1
    assert "a sensor of 480 x 640 px gives frames of 240 x 320" in fault(capsys)


@pytest.mark.parametrize("kind", ["udp", "tcp", "page"])
def test_a_port_that_is_taken_is_named(
    detector: str, recording: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, of) as taken:
        taken.bind((LOOPBACK, 0))
        if kind != "udp":
            taken.listen()
        port = taken.getsockname()[1]
        source = [f"{kind}://{LOOPBACK}:{port}"]
        if kind == "page":
            source = [recording, *AT_ONCE, "--page", str(port)]
        assert run(detector, *source) == 1
    line = fault(capsys)
    assert str(port) in line
    assert "another port" in line


def test_a_damaged_recording_is_told_of_after_the_summary(
    detector: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    rows = [f"{1000 * number},5,5,1" for number in range(1000)]
    path.write_text("t_us,x,y,p\n" + "\n".join([*rows, "damage,x,y,z"]) + "\n")
    assert run(detector, str(path), *AT_ONCE) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[-1].startswith("Error: ")
    assert "events.csv" in told.err


@pytest.mark.parametrize(
    ("receiver", "options", "words"),
    [
        ("street.raw", (), "street.raw is no receiver"),
        ("udp://127.0.0.1:9", ("--as-fast-as-possible",), "is lost: give --speed"),
        ("tcp://127.0.0.1:9", ("--as-fast-as-possible",), "start the receiver first"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(
    recording: str,
    receiver: str,
    options: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("send", recording, receiver, *SIZE, *options) == 1
    assert words in fault(capsys)
