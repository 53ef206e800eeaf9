"""The command from its options to its outputs, and what it says when something is wrong."""

import io
import json
import socket
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.exported import write_exported
from tests.live.conftest import SIZE
from tests.streaming.moving import HEIGHT, WIDTH, exported, moving

from etram_pipeline.core.recording import Events
from etram_pipeline.live import command, detecting
from etram_pipeline.live.sources import open_source
from etram_pipeline.live.window import WindowLine
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.sources import Source
from etram_pipeline.streaming.sources.recording import RecordingSource
from etram_pipeline.streaming.sources.tcp import TcpSource, send_tcp
from etram_pipeline.streaming.sources.udp import send_udp
from etram_pipeline.streaming.stream import DetectionStream

AT_ONCE = ("--as-fast-as-possible", *SIZE)
WEAK = ("--score", "0.05")
"""Of the small detector's boxes, whose scores are low."""


def run(*arguments: str) -> int:
    """Exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    code = ended.value.code
    assert isinstance(code, int) or code is None
    return code or 0


def lines_of(text: str) -> list[WindowLine]:
    """Lines, each of which is as `WindowLine` says, with no field missing."""
    lines = [WindowLine.model_validate_json(line) for line in text.splitlines()]
    assert [json.loads(line).keys() for line in text.splitlines()] == [
        WindowLine.model_fields.keys()
    ] * len(lines)
    return lines


def test_each_window_of_a_recording_is_a_line(
    detector: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(detector, recording, *AT_ONCE, *WEAK) == 0
    told = capsys.readouterr()
    lines = lines_of(told.out)
    assert [line.t for line in lines] == [50_000 * number for number in range(1, 21)]
    assert sum(len(line.boxes) for line in lines) > 20
    assert {box.class_name for line in lines for box in line.boxes} <= {"pedestrian", "car", "tram"}
    assert all(box.score >= 0.05 for line in lines for box in line.boxes)
    summary = told.err.splitlines()
    assert summary[0].startswith("20 windows in ")
    assert "20 detected, 0 held, 0 left out" in summary[0]
    assert summary[1].startswith("latency p50 ")
    assert summary[2].startswith("20,000 events: ")


def test_boxes_are_those_of_the_stream(tmp_path: Path, detector: str, recording: str) -> None:
    path = tmp_path / "new.jsonl"
    assert run(detector, recording, *AT_ONCE, *WEAK, "--json", str(path)) == 0
    model = exported(tmp_path)
    chosen = model.description.suppression.model_copy(update={"score_threshold": 0.05})
    stream = DetectionStream(model, HEIGHT, WIDTH, suppression=chosen, hold=0)
    source = RecordingSource(Path(recording), size=(HEIGHT, WIDTH))
    expected = [result for chunk in source for result in stream.push(chunk)]
    expected += stream.finish()
    lines = lines_of(path.read_text())
    for line, result in zip(lines, expected, strict=True):
        assert line.events == result.num_events
        table = np.array([(box.x, box.y, box.w, box.h, box.score) for box in line.boxes])
        rows = [result.detections[name] for name in ("x", "y", "w", "h", "score")]
        np.testing.assert_allclose(table.reshape(-1, 5), np.stack(rows, 1), atol=0.006)


def test_the_default_score_is_that_of_validation(
    tmp_path: Path, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {"protocol": "any", "choices": "", "ranking": "joint", "common": 0.2, "per_class": {}}
    plain = exported(tmp_path).description
    given = plain.model_dump(serialize_as_any=True) | {"operating_scores": scores}
    path = write_exported(tmp_path / "known.onnx", type(plain).model_validate(given))
    assert run(str(path), recording, *AT_ONCE) == 0
    found = [box.score for line in lines_of(capsys.readouterr().out) for box in line.boxes]
    assert found
    assert min(found) >= 0.2
    assert min(found) < 0.3


def test_boxes_are_followed_unless_that_is_not_wanted(
    detector: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ids: list[set[int | None]] = []
    for more in ((), ("--no-tracks",)):
        assert run(detector, recording, *AT_ONCE, *WEAK, *more) == 0
        lines = lines_of(capsys.readouterr().out)
        ids.append({box.track_id for line in lines for box in line.boxes})
    assert 1 in ids[0]
    assert ids[1] == {None}


def test_a_recording_is_played_as_fast_as_is_asked_for(
    detector: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(detector, recording, *SIZE, "--speed", "4", "--when-slow", "wait") == 0
    told = capsys.readouterr()
    assert len(lines_of(told.out)) == 20
    ratio = float(told.err.split(" s, ")[1].split(" x ")[0])
    assert 0 < ratio <= 4.5


def test_a_video_shows_every_window(tmp_path: Path, detector: str, recording: str) -> None:
    path = tmp_path / "new" / "out.mp4"
    assert run(detector, recording, *AT_ONCE, "--video", str(path)) == 0
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == 20


def test_lines_are_not_written_unasked_where_there_is_another_output(
    tmp_path: Path, detector: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    video = ("--video", str(tmp_path / "out.mp4"))
    assert run(detector, recording, *AT_ONCE, *video) == 0
    assert capsys.readouterr().out == ""
    assert run(detector, recording, *AT_ONCE, *video, "--json", "-") == 0
    assert len(lines_of(capsys.readouterr().out)) == 20


pause = threading.Event()


def free_port(kind: socket.SocketKind) -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_events_come_by_udp(
    detector: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port(socket.SOCK_DGRAM)
    steps, is_open = [], threading.Event()

    def compile_first() -> None:
        steps.append("compile")

    def open_then(*of: Any, **options: Any) -> Source:  # noqa: ANN401  # whatever it is given
        source = open_source(*of, **options)
        steps.append("listen")
        is_open.set()
        return source

    monkeypatch.setattr(detecting, "compile_kernels", compile_first)
    monkeypatch.setattr(detecting, "open_source", open_then)

    def play() -> None:
        is_open.wait(60)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
            foreign.sendto(b"nonsense", ("127.0.0.1", port))
        # Few enough for the system to keep them all until they are read.
        send_udp([moving(200_000)], port, size=(HEIGHT, WIDTH), most_events=500)

    sender = threading.Thread(target=play)
    sender.start()
    assert run(detector, f"udp://127.0.0.1:{port}", "--when-slow", "wait") == 0
    sender.join()
    told = capsys.readouterr()
    assert steps == ["compile", "listen"], "what is sent while code is compiled would be lost"
    assert len(lines_of(told.out)) >= 4
    assert "\n4,000 events: " in told.err
    assert " 0 lost, 1 foreign, cut off or repeated; 0 reconnects" in told.err


def test_events_come_by_tcp(detector: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port(socket.SOCK_STREAM)

    def play() -> None:
        is_sent = False
        while not is_sent:
            try:
                send_tcp([moving(1_000_000)], port, size=(HEIGHT, WIDTH))
                is_sent = True
            except ConnectionRefusedError:
                pause.wait(0.01)

    sender = threading.Thread(target=play)
    sender.start()
    assert run(detector, f"tcp://127.0.0.1:{port}", "--when-slow", "wait") == 0
    sender.join()
    told = capsys.readouterr()
    assert len(lines_of(told.out)) >= 20
    assert "\n20,000 events: " in told.err


def test_a_recording_is_played_to_another_program(
    recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = TcpSource(0)
    received: list[int] = []

    def receive() -> None:
        received.extend(len(chunk) for chunk in receiver if isinstance(chunk, np.ndarray))

    reader = threading.Thread(target=receive)
    reader.start()
    assert run("send", recording, f"tcp://127.0.0.1:{receiver.port}", *AT_ONCE) == 0
    reader.join()
    on_sensor = RecordingSource(Path(recording), size=(HEIGHT, WIDTH))
    assert sum(received) == sum(len(chunk) for chunk in on_sensor if isinstance(chunk, Events))
    assert receiver.size == (HEIGHT, WIDTH)
    assert capsys.readouterr().err.endswith(" packets sent\n")


def test_a_computer_checks_the_detector(checked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(checked), "--check") == 0
    told = capsys.readouterr().out.splitlines()
    assert "the detections in 3 windows are those found before the export" in told[0]
    assert "a window of 32 x 64 px takes p50 " in told[1]
    model = ExportedModel(checked)
    vector = model.description.test_vector
    assert vector is not None
    wrong = vector.model_copy(
        update={"scores": tuple(tuple(each / 2 for each in window) for window in vector.scores)}
    )
    write_exported(checked, model.description.model_copy(update={"test_vector": wrong}))
    assert run(str(checked), "--check") == 1
    assert "computes something else here" in capsys.readouterr().err


def test_whoever_reads_the_lines_may_go(
    detector: str, recording: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return spare.fileno()

    with (tmp_path / "spare").open("w") as spare:
        monkeypatch.setattr("sys.stdout", Gone())
        assert run(detector, recording, *AT_ONCE) == 0
