"""Recordings in text: units, columns and numbers as people write them."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.events.conftest import HEIGHT, WIDTH, Gather, MakeEvents

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats import text
from etram_pipeline.events.recording import open_recording

SIZE = (HEIGHT, WIDTH)


def read(folder: Path, content: str | bytes, gather: Gather) -> list[tuple[int, ...]]:
    """Time, x, y and polarity of each event of a text."""
    path = folder / "recording.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    events = gather(open_recording(path, size=SIZE))
    columns = (events.t_us, events.x, events.y, events.polarity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(
    "content",
    [
        "# unit: us\n7 1 2 1\n1900 3 4 0\n",
        "# Unit = microseconds\n\n7 1 2 1\n# a note\n1900 3 4 -1",
        "# time unit: ns\n7000 1 2 1\n1900999 3 4 0\n",
        "% unit ms\n0.007,1,2,1\r\n1.9,3,4,0\r\n",
        "# unit of the times: s\n0.000007 1 2 1\n1.9e-3 3.0 4 0.0\n",
        "# unit: s\n0.0000066 1 2 1\n0.00189999999999999999 3 4 0\n",
        "t_us,x,y,p\n7,1,2,1\n1900,3,4,0\n",
        "# t_us x y p\n7 1 2 1\n1900 3 4 0\n",
        "x;y;polarity;timestamp [ns]\n1;2;1;7000\n3;4;0;1900000\n",
        ",ts (ms),x,y,on\n0,0.007,1,2,1\n1,1.9,3,4,0\n",
        "\ufeff# unit: us\n# geometry 160x120\n7\t1\t2\t1\n1900\t3\t4\t0\n",
        '"t_us","x","y","p"\n7,1,2,+1\n1900,3,4,-1\n',
        '"t_us","x","y","p"\n"7","1","2","1"\r\n"1900","3","4","0"\r\n',
        "sep=;\nt_us;x;y;p\n7;1;2;1\n1900;3;4;0\n",
        "# unit: us\n\ufeff7 1 2 1\n1900 3 4 0\n",
        "# unit: s\n160 120\n0.000007 1 2 1\n0.0019 3 4 0\n",
        "# unit: us\n  7   1   2   1  \n 1900 3 4 0\n19",
    ],
)
def test_units_and_columns_are_read_as_they_are_stated(
    content: str, tmp_path: Path, gather: Gather
) -> None:
    assert read(tmp_path, content, gather) == [(7, 1, 2, 1), (1900, 3, 4, 0)]


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    times_us=st.lists(st.integers(0, 2**52), min_size=1, max_size=9).map(sorted),
    style=st.sampled_from(["%d", "%.1f", "%.18e", "%15d"]),
    separator=st.sampled_from([" ", ",", "; ", "\t", ", "]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_numbers_are_exact_in_every_style(
    times_us: list[int], style: str, separator: str, end: str, tmp_path: Path, gather: Gather
) -> None:
    lines = ["# unit: us"]
    for number, time_us in enumerate(times_us):
        lines.append(separator.join(style % value for value in (time_us, number, 5, number % 2)))

    found = read(tmp_path, end.join(lines) + end, gather)

    assert found == [(time_us, n, 5, n % 2) for n, time_us in enumerate(times_us)]


@pytest.mark.parametrize("name", ["street.txt", "it's a street.txt", "$HOME `a`.txt"])
def test_the_command_that_states_the_unit_works(tmp_path: Path, gather: Gather, name: str) -> None:
    path = tmp_path / name
    path.write_text("0.5 1 2 1\n")
    with pytest.raises(RecordingError) as told:
        open_recording(path, size=SIZE)
    command = re.search(r"for example with `(sed .*)`, or name", str(told.value))
    assert command is not None
    subprocess.run(["bash", "-c", command[1]], check=True)
    assert gather(open_recording(path, size=SIZE)).t_us.tolist() == [500_000]


@pytest.mark.parametrize(
    ("content", "description"),
    [
        ("7 1 2 1\n", r"unit of the times is not stated; write a line `# unit: us`.*sed -i"),
        ("0.5 1 2 1\n", r"write a line `# unit: s`"),
        ("t,x,y,p\n7,1,2,1\n", r"unit of the times is not stated.* name the column t_ns"),
        ("# unit: us\n7 1 2 1\n8 1 2\n9 1 2 1\n", r"byte 19, '8 1 2', contains fewer values"),
        ("# unit: us\n7 1 2 1\n8 1 2 1 5\n", "'8 1 2 1 5', contains more values"),
        ("# unit: us\n7 1 2 1\n8 1.5 2 1\n", "contains a fraction instead of a whole number"),
        ("# unit: us\n7 1 2 1\nnan 1 2 1\n", "contains a value that is not a number"),
        ("# unit: us\n7 1 2 1\n1e30 1 2 1\n", "contains a number that is too large"),
        ("# unit: us\n7 1 2 1\n1,,2,1\n", "contains fewer values"),
        ("# unit: us\n1 2 1 7\n", "polarity 7, but polarity must be 0 or 1"),
        ("# unit: us\n# geometry 0x5\n1 2 1 1\n", "a height of 5 and a width of 0"),
        ("# unit: us\n1 2 3 4 5\n", "this is text that begins with"),
        ("# unit: us\n160 120\n5 6\n1 2 3 1\n", "this is text that begins with"),
        ("160 120\n0.5 1 2 1\n", r"write a line `# unit: s`"),
        ("t_us,x,y,p\r7,1,2,1\r8,1,2,0\r", "lines end with carriage returns only"),
        ("t_us,x,y,p\n7,1,2,True\n", "line '7,1,2,True' holds a value that is not a number"),
        ("t_us,x,y,w,h,p\n1,2,3,4,5,1\n", "this is text that begins with"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_place(
    content: str, description: str, tmp_path: Path, gather: Gather
) -> None:
    with pytest.raises(RecordingError, match=description):
        read(tmp_path, content, gather)


def test_width_and_height_may_be_a_line_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "events.txt").write_text("# unit: s\n240 180\n0.5 239 179 1\n")

    recording = open_recording(tmp_path / "events.txt")

    assert (recording.height, recording.width, recording.num_events) == (180, 240, 1)


def test_long_texts_are_read_in_blocks_from_anywhere(
    tmp_path: Path, make_events: MakeEvents, gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_BLOCK_BYTES", 1000)
    events = make_events(3000)
    table = np.stack([events.t_us, events.x, events.y, events.polarity], axis=1)
    path = tmp_path / "a.csv"
    np.savetxt(path, table, fmt="%d", delimiter=",", header="t_us,x,y,p", comments="")

    recording = open_recording(path, size=SIZE)

    assert max(len(part) for part in recording.read()) < 150
    for handle in (recording, open_recording(path, size=SIZE)):
        part = gather(handle, 50_000, 52_000)
        first, last = np.searchsorted(events.t_us, (50_000, 52_000))
        np.testing.assert_array_equal(part.t_us, events.t_us[first:last])
        np.testing.assert_array_equal(part.x, events.x[first:last])


def test_a_line_without_end_is_refused(
    tmp_path: Path, gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_BLOCK_BYTES", 100)

    with pytest.raises(RecordingError, match="is longer than 100 bytes"):
        read(tmp_path, "# unit: us\n1 2 3 1\n" + "1 " * 200, gather)


def test_an_incomplete_last_line_is_ignored_with_a_warning(
    tmp_path: Path, gather: Gather, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(tmp_path, "# unit: us\n1 2 3 1\n2 3", gather) == [(1, 2, 3, 1)]
    assert "the last 3 bytes are an incomplete line and are ignored" in caplog.text
