"""Headers of Prophesee files, as cameras and software of many years wrote them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.prophesee_header import Header, read_header

DATA = b"\x91\x85\x78\x6e\n% not header\n"


def header_of(folder: Path, text: str | bytes, data: bytes = DATA) -> Header:
    path = folder / "recording"
    path.write_bytes((text.encode() if isinstance(text, str) else text) + data)
    return read_header(path)


@pytest.mark.parametrize(
    ("text", "format_name"),
    [
        ("% evt 3.0\n", "EVT3"),
        ("% evt 2.0\n", "EVT2"),
        ("% evt 2.1\n", "EVT21"),
        ("% format EVT3;height=720;width=1280\n% evt 3.0\n", "EVT3"),
        ("% format evt2\n", "EVT2"),
        ("% format EVT21;endianness=little;height=720;width=1280\n", "EVT21"),
        ("% format EVT2.1;height=720;width=1280\n", "EVT21"),
        ("% format EVT 3.0\n", "EVT3"),
        ("% format HISTO3D;height=320;width=320\n", "HISTO3D"),
        ("% Date 2019-01-01\n% integrator_name Prophesee\n% system_ID 21\n", "EVT2"),
        ("% Date 2020-01-01\n% integrator_name Prophesee\n% system_ID 48\n", "EVT3"),
        ("% Date 2020-01-01\n% integrator_name CenturyArks\n% system_ID 48\n", None),
        ("% Data file containing CD events.\n% Version 2\n% system_ID 48\n", None),
        ("% Data file containing CD events.\n% Version 2\n", None),
    ],
)
def test_the_encoding_is_named_alike_by_old_and_new_headers(
    text: str, format_name: str | None, tmp_path: Path
) -> None:
    assert header_of(tmp_path, text).format_name == format_name


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("% format EVT21;endianness=little;height=1;width=1\n", "little"),
        ("% format EVT21;height=1;width=1;endianness=legacy\n", "legacy"),
        ("% format EVT21;height=1;width=1\n% endianness legacy\n", "legacy"),
        ("% format EVT21;height=1;width=1\n", "little"),
        ("% format EVT21;height=1;width=1\n% system_ID 49\n", "legacy"),
        ("% format EVT21;height=1;width=1\n% system_ID 64\n", "little"),
        ("% format EVT21;height=1;width=1\n% integrator_name X\n% system_ID 49\n", "little"),
        ("% evt 2.1\n% geometry 1x1\n", "legacy"),
        ("% evt 3.0\n% system_ID 49\n", "little"),
    ],
)
def test_the_order_of_halves_is_stated_or_that_of_the_camera(
    text: str, order: str, tmp_path: Path
) -> None:
    assert header_of(tmp_path, text).endianness == order


@pytest.mark.parametrize(
    "text",
    [
        "% evt 3.0\n% format EVT3;height=480;width=640\n",
        "% evt 3.0\n% format EVT3; width=640; height=480\n",
        "% evt 3.0\n% geometry 640x480\n",
        "% evt 3.0\n% geometry 640x480\n% format EVT3;height=480;width=640\n",
        "% Data file containing CD events.\n% Height 480\n% Width 640\n",
        "% evt 2.0\n% integrator_name Prophesee\n% system_ID 21\n",
        "% evt 2.0\n% system_ID 21\n",
    ],
)
def test_the_size_is_found_wherever_the_header_says_it(text: str, tmp_path: Path) -> None:
    assert header_of(tmp_path, text).sensor_size(otherwise=(9, 9)) == (480, 640)


@pytest.mark.parametrize(
    "text",
    [
        "% evt 3.0\n",
        "% evt 3.0\n% system_ID 999\n",
        "% evt 3.0\n% system_ID unknown\n",
        "% evt 3.0\n% integrator_name CenturyArks\n% system_ID 49\n",
        "% evt 3.0\n% camera_integrator_name IDS\n% system_ID 49\n",
    ],
)
def test_without_a_known_size_the_given_one_counts_or_the_parameter_is_named(
    text: str, tmp_path: Path
) -> None:
    header = header_of(tmp_path, text)

    assert header.sensor_size(otherwise=(9, 8)) == (9, 8)
    with pytest.raises(RecordingError, match=r"recording.*dataset\.height and dataset\.width"):
        header.sensor_size(otherwise=None)


def test_two_sizes_that_differ_are_refused(tmp_path: Path) -> None:
    header = header_of(tmp_path, "% geometry 640x480\n% format EVT3;height=720;width=1280\n")

    with pytest.raises(RecordingError, match=r"two sizes.*\(480, 640\), \(720, 1280\)"):
        header.sensor_size(otherwise=None)


@pytest.mark.parametrize(
    "line",
    [
        "geometry 640x0",
        "geometry 640",
        "geometry wide",
        "geometry -640x480",
        "geometry 65537x480",
        "format EVT3;height=720",
        "format EVT3;height=;width=3",
        "Width 4e2",
        f"geometry {'9' * 5000}x1",
    ],
)
def test_a_size_that_is_none_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="both must be whole numbers from 1 to 65536"):
        header_of(tmp_path, f"% evt 3.0\n% {line}\n").sensor_size(otherwise=(9, 9))


@pytest.mark.parametrize(
    "text",
    [
        "% evt 3.0\n% end\n",
        "% evt 3.0\r\n% end\r\n",
        "% evt 3.0\n",
        "% evt 3.0\n%\n% note\twith a tab\n",
    ],
)
def test_the_header_ends_where_the_data_begins(text: str, tmp_path: Path) -> None:
    assert header_of(tmp_path, text).num_bytes == len(text)


@pytest.mark.parametrize(
    "data",
    [
        b"% \x80\x02\n\x00",
        b"% only looks like a comment",
        b"%\x85\x00\x80\n",
        b"",
        b"% end\n% more\n",
    ],
)
def test_data_that_begins_like_a_comment_is_no_header(data: bytes, tmp_path: Path) -> None:
    text = "% evt 3.0\n% end\n" if data.startswith(b"% end") else "% evt 3.0\n"

    header = header_of(tmp_path, text, data)

    assert header.num_bytes == len(text)
    assert dict(header.fields) == {"evt": "3.0"}


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("% Date 2020-09-25 07:48:29\n", datetime(2020, 9, 25, 7, 48, 29)),
        ("% date 2020-09-25T07:48:29+00:00\n", datetime(2020, 9, 25, 7, 48, 29, tzinfo=UTC)),
        ("% Date yesterday\n", None),
        ("% evt 3.0\n", None),
    ],
)
def test_the_clock_time_is_that_of_the_header(
    text: str, date: datetime | None, tmp_path: Path
) -> None:
    assert header_of(tmp_path, text).date == date


def test_the_first_of_two_lines_with_one_key_counts(tmp_path: Path) -> None:
    assert header_of(tmp_path, "% evt 3.0\n% evt 2.0\n").format_name == "EVT3"


def test_a_header_without_end_is_read_in_bounded_time(tmp_path: Path) -> None:
    header = header_of(tmp_path, b"% line of a header\n" * 20_000)

    assert header.num_bytes <= 2**16
