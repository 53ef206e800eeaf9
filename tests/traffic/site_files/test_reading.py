"""Files of lines and zones, valid and malformed: each fault is one line that says what to do."""

import os
import re
from pathlib import Path

import pytest
from tests.traffic.site_files.conftest import WriteFile

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone
from etram_pipeline.traffic.site_files import read_site, site_for

HEAD = "version: 1\nimage: {width: 1280, height: 720}\n"
SQUARE = "[[0, 0], [300, 0], [300, 300], [0, 300]]"

EXAMPLE = f"""{HEAD}
lines:                                   # counted in both directions
  north: {{points: [[444, 332], [587, 313.5]], forward: in, backward: out}}
  "no: 'quotes'": {{points: [[1, 2], [3, 4], [5, 9]]}}
zones: {{west queue: {{polygon: {SQUARE}}}}}
ignore: {{trees: {{polygon: [[10, 10], [200, 10], [200, 100]]}}}}
ground: {{points_px: {SQUARE}, points_m: [[-13.0, -4.6], [3, -4.6], [3, 9], [-13, 9]]}}
"""


def line(points: str, more: str = "") -> str:
    return f"{HEAD}lines: {{north: {{points: {points}{more}}}}}"


def zone(polygon: str) -> str:
    return f"{HEAD}zones: {{queue: {{polygon: {polygon}}}}}"


def named(name: str) -> str:
    return f"{HEAD}lines: {{{name}: {{points: [[1, 2], [3, 4]]}}}}"


def ground(points_px: str, points_m: str) -> str:
    return f"{HEAD}ground: {{points_px: {points_px}, points_m: {points_m}}}"


def test_all_parts_of_a_site_are_read(write_file: WriteFile) -> None:
    square = ((0, 0), (300, 0), (300, 300), (0, 300))
    assert read_site(write_file(EXAMPLE)) == Site(
        image=Image(width=1280, height=720),
        lines={
            "north": Line(points=((444, 332), (587, 313.5)), forward="in", backward="out"),
            "no: 'quotes'": Line(points=((1, 2), (3, 4), (5, 9))),
        },
        zones={"west queue": Zone(polygon=square)},
        ignore={"trees": Zone(polygon=((10, 10), (200, 10), (200, 100)))},
        ground=Ground(points_px=square, points_m=((-13, -4.6), (3, -4.6), (3, 9), (-13, 9))),
    )


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "lines:\nzones:\n",
        "\ufeff" + HEAD,
        HEAD.replace("\n", "\r\n"),
        "image: {width: 1280, height: 720}",
        '{"version": 1, "image": {"width": 1280, "height": 720}}',
        line("[[-64, -64], [1344, 784]]"),
        named('"Straße 北 🚲"'),
        named("'" + "x" * 64 + "'"),
    ],
)
def test_unusual_but_valid_files_are_read(write_file: WriteFile, text: str) -> None:
    assert read_site(write_file(text)).image == Image(width=1280, height=720)


def test_without_a_file_the_border_is_counted() -> None:
    assert site_for(None, 640, 480) == border_site(640, 480)


def test_site_of_another_sensor_is_refused(write_file: WriteFile) -> None:
    path = write_file(EXAMPLE)
    assert site_for(path, 1280, 720) == read_site(path)
    with pytest.raises(SiteError, match=r"site\.yml: .* 1280 x 720 px, but the sensor has 640 x"):
        site_for(path, 640, 480)


MALFORMED = [
    (line("[[444, 332]]"), "line 'north': a line needs 2 points or more, and there are 1"),
    (line("[]"), "line 'north': a line needs 2 points or more, and there are 0"),
    (line("[[4, 3], [9, 9], [9, 9.0]]"), "line 'north': points 2 and 3 are the same place (9, 9)"),
    (line("[[0.1, 0.2], [0.3, 0.9]]"), "line 'north': all points lie within 1 px: give px"),
    (
        line("[[0, 0], [90, 90], [30, 30]]"),
        "line 'north': it turns back on itself at point 2 (90, 90): move it",
    ),
    (
        line("[[0, 0], [90, 90], [90, 0], [0, 90]]"),
        "line 'north': it crosses itself: the side from point 1 to 2 meets the side from point 3",
    ),
    (
        line("[[0, 0], [90, 0], [90, 90], [0, 0]]"),
        "line 'north': it crosses itself: the side from point 1 to 2 meets the side from point 3",
    ),
    (line("[[1, 2, 3], [4, 5]]"), "line 'north', point 1: must have at most 2"),
    (line("[[1, 2], [4]]"), "line 'north', point 2, y: is missing"),
    (line("[[1, 2], [4, five]]"), "line 'north', point 2, y: must be a number, not 'five'"),
    (line("[[1, true], [4, 5]]"), "line 'north', point 1, y: must be a number, not true"),
    (line("[[.nan, 2], [4, 5]]"), "line 'north', point 1, x: must be a finite number, not nan"),
    (line("[[1, 2], [4, -.inf]]"), "line 'north', point 2, y: must be a finite number, not -inf"),
    (line("[[1, 2], [1e400, 5]]"), "line 'north', point 2, x: must be a finite number"),
    (line(f"[[1, 2], [1{'0' * 400}, 5]]"), "line 'north', point 2, x: must be a number, not 1000"),
    (line(f"[[1, 2], [1{'0' * 5000}, 5]]"), "has a value that cannot be read: Exceeds the limit"),
    (line("[[1, 2], [null, 5]]"), "line 'north', point 2, x: must be a number, not null"),
    (line("north"), "line 'north', points: must be a list, not 'north'"),
    (line("{x: 1, y: 2}"), "line 'north', points: must be a list, not {'x': 1, 'y': 2}"),
    (line(f"[{'[1, 2], ' * 501}]"), "line 'north', points: must have at most 500 item(s)"),
    (line("[[1, 2], [4440, 5]]"), "line 'north', point 2 (4440, 5) lies off the image of 1280 x"),
    (line("[[1, -300], [4, -5]]"), "line 'north', point 1 (1, -300) lies off the image of 1280 x"),
    (line("[[1, 2], [4, 5]], forward: in, backward: in"), "line 'north': both directions are"),
    (line("[[1, 2], [4, 5]]", ", forward: ' '"), "line 'north', forward: a name must not be empty"),
    (line("[[1, 2], [4, 5]]", ", forward: no"), "forward: must be text, not false"),
    (line("[[1, 2], [4, 5]]", ", forwards: in"), "did you mean 'forward'?"),
    (named("1"), "lines: the key must be text, not 1: put it in quotes"),
    (named("no"), "lines: the key must be text, not false: put it in quotes"),
    (named("~"), "lines: the key must be text, not null"),
    (named("''"), "lines: a name must not be empty"),
    (named("' north'"), "lines: the name ' north' begins or ends with white space: remove it"),
    (named(r'"a\nb"'), r"lines: the name 'a\nb' has control characters: remove them"),
    (named(r'"a\x1b[31mb"'), "has control characters: remove them"),
    (named(r'"a\u2028b"'), "has control characters: remove them"),
    (named(r'"a\uffffb"'), "has control characters: remove them"),
    (named("n" * 65), "lines: the name 'nnnnnnnnnnnnnnnnnnnn'… has 65 characters: use 64 at most"),
    (named("unknown"), "line 'unknown': tables use this name for ends of movements"),
    (
        zone(SQUARE).replace("queue", "unknown"),
        "zone 'unknown': tables use this name for ends of movements of which no zone is known",
    ),
    (named("a: {points: [[1, 2], [3, 4]]}, a"), "line 3: 'a' is there already, in line 3: rename"),
    (f"{HEAD}lines: {{a: {{}}}}", "line 'a', points: is missing"),
    (f"{HEAD}lines: {{a: }}", "line 'a': must be a mapping of keys to values, not null"),
    (f"{HEAD}lines: {{a: [[1, 2], [3, 4]]}}", "line 'a': must be a mapping of keys to values"),
    (f"{HEAD}lines: [[1, 2], [3, 4]]", "lines: must be a mapping of keys to values, not [[1, 2]"),
    (f"{HEAD}lines: north", "lines: must be a mapping of keys to values, not 'north'"),
    (
        HEAD
        + "lines: {"
        + ", ".join(f"n{k}: {{points: [[1, 2], [3, 4]]}}" for k in range(201))
        + "}",
        "lines: must have at most 200 item(s)",
    ),
    (zone("[[1, 2], [3, 4]]"), "zone 'queue': an area needs 3 points or more, and there are 2"),
    (zone("[[0, 0], [50, 0], [50, 50], [0, 0]]"), "zone 'queue': the last point repeats the first"),
    (zone("[[0, 0], [50, 0], [50, 0], [0, 9]]"), "zone 'queue': points 2 and 3 are the same place"),
    (zone("[[0, 0], [50, 50], [20, 20]]"), "zone 'queue': it has no area, since all points lie on"),
    (zone("[[0, 0], [0.5, 0], [0.5, 0.7]]"), "zone 'queue': all points lie within 1 px"),
    (
        zone("[[0, 0], [300, 300], [300, 0], [0, 300]]"),
        "zone 'queue': it crosses itself: the side from point 1 to 2 meets the side from point 3",
    ),
    (
        zone("[[0, 0], [100, 0], [50, 50], [100, 100], [0, 100], [50, 50]]"),
        "zone 'queue': it crosses itself: the side from point 2 to 3 meets the side from point 5",
    ),
    (
        zone("[[0, 0], [300, 0], [300, 300], [300, 100], [200, 200]]"),
        "zone 'queue': it turns back on itself at point 3 (300, 300): move it",
    ),
    (zone("[[0, 0], [3000, 0], [0, 99]]"), "zone 'queue', point 2 (3000, 0) lies off the image"),
    (
        zone(SQUARE).replace("zones", "ignore").replace("300", "999"),
        "ignored zone 'queue', point 3",
    ),
    (
        named("a") + f"\nzones: {{a: {{polygon: {SQUARE}}}}}",
        "line and zone are both called 'a': rename one of them",
    ),
    (
        zone(SQUARE) + f"\nignore: {{queue: {{polygon: {SQUARE}}}}}",
        "zone and ignored zone are both called 'queue': rename one of them",
    ),
    (ground("[]", "[]"), "ground: the ground needs 4 points or more, and there are 0"),
    (
        ground(SQUARE, "[[0, 0], [1, 0], [1, 1]]"),
        "ground: points_px has 4 points and points_m has 3",
    ),
    (
        ground(SQUARE, "[[0, 0], [1, 0], [1, 1], [0, 0]]"),
        "ground: points_m, points 1 and 4 are the same place (0, 0): remove or correct one",
    ),
    (
        ground("[[0, 0], [100, 0], [200, 0], [300, 400]]", "[[0, 0], [1, 0], [2, 0], [3, 4]]"),
        "ground: points_px: all points but one lie on one line",
    ),
    (
        ground(SQUARE, "[[5e5, 57e5], [500001, 5700001], [500002, 5700002], [500003, 5700003]]"),
        "ground: points_m: all points but one lie on one line",
    ),
    (
        ground(SQUARE, "[[0, 0], [10, 0], [0, 10], [10, 10]]"),
        "ground: the points are not in the same order in points_px and points_m",
    ),
    (
        ground(SQUARE, "[[0, 0], [1, 0], [1, 1], [0, 1e300]]"),
        "ground, points_m, point 4, y: must be",
    ),
    (
        ground(SQUARE.replace("300", "3000"), "[[0, 0], [1, 0], [1, 1], [0, 1]]"),
        "ground, points_px, point 2 (3000, 0) lies off the image of 1280 x 720 px",
    ),
    (f"{HEAD}ground: {{points_px: {SQUARE}}}", "ground, points_m: is missing"),
    (HEAD.replace("1\n", "2\n"), "version: the file has version 2 of the format, and this version"),
    (HEAD.replace("1\n", "true\n"), "version: must be 1, not a truth value"),
    (HEAD.replace("1\n", "'1'\n"), "version: must be 1, not '1'"),
    (HEAD.replace("1\n", "0\n"), "version: must be 1, not 0"),
    ("lines: {}", "image: is missing"),
    ("image:", "image: must be a mapping of keys to values, not null"),
    ("image: {width: 0, height: 720}", "image, width: must be greater than 0, not 0"),
    ("image: {width: 1280.5, height: 720}", "image, width: must be a whole number, not 1280.5"),
    ("image: {width: true, height: 720}", "image, width: must be a whole number, not true"),
    (HEAD + "lnes: {}", "lnes: unknown key; did you mean 'lines'?"),
    (HEAD + "image: {width: 1, height: 1}", "line 3: 'image' is there already, in line 2"),
    (HEAD + "lines:\n\tnorth: {}", "line 4: found character that cannot start any token: indent"),
    (HEAD + "lines: {a: &x {points: []}, b: *x}", "line 3: an alias refers to this value"),
    ("a: &a [1]\nb: &b [*a, *a]\nc: &c [*b, *b]", "line 1: an alias refers to this value"),
    ("a: *a", "line 1: found undefined alias"),
    ("[", "line 2: did not find expected node content"),
    ("a: b: c", "line 1: mapping values are not allowed in this context"),
    ("a: 'x", "found unexpected end of stream"),
    ("!!python/object/apply:os.system [exit]", "line 1: could not determine a constructor"),
    ("--- {}\n--- {}", "line 2: but found another document"),
    ("? [a]\n: 1", "line 1: found unhashable key"),
    ("a: 2001-99-99", "has a value that cannot be read: month must be in 1..12"),
    ("[" * 50_000, "line 1: exceeded maximum nesting depth"),
    ("", "must be a mapping of keys to values, not null"),
    ("# nothing yet", "must be a mapping of keys to values, not null"),
    ("42", "must be a mapping of keys to values, not 42"),
    ("[1, 2]", "must be a mapping of keys to values, not [1, 2]"),
    ("\x00\x01", "is no YAML: unacceptable character"),
]


@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed_files_give_one_line_that_says_what_is_wrong(
    write_file: WriteFile,
    text: str,
    message: str,
) -> None:
    path = write_file(text)
    with pytest.raises(SiteError) as caught:
        read_site(path)
    told = str(caught.value)
    assert told.startswith(str(path))
    assert message in told
    assert "\n" not in told
    assert not told.endswith(".")


def test_only_the_first_faults_are_told_in_full(write_file: WriteFile) -> None:
    faults = ", ".join(f"n{k}: {{points: []}}" for k in range(9))
    with pytest.raises(SiteError, match=r"'n2': .*; and 6 faults more$"):
        read_site(write_file(f"{HEAD}lines: {{{faults}}}"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("site.yml", b"\xff\xfe" + EXAMPLE.encode("utf-16-le"), "line 1: it is no text in UTF-8"),
        ("site.yml", HEAD.encode() + "# Süd".encode("latin-1"), "line 3: it is no text in UTF-8"),
        ("site.yml", b" " * 1_000_001, "has 1.0 MB, too much for lines and zones"),
        (
            "site.txt",
            b"",
            "has the suffix '.txt', but files of lines and zones end in .geojson, .json, .otflow,",
        ),
        ("site", b"", "has no suffix, but files of lines and zones end in"),
    ],
)
def test_files_that_are_no_sites_are_refused(
    write_file: WriteFile, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(SiteError, match=re.escape(message)):
        read_site(write_file(content, name))


def test_missing_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="there is no file of lines and zones at"):
        read_site(tmp_path / "site.yml")
    (tmp_path / "folder.yml").mkdir()
    with pytest.raises(SiteError, match="is a folder: give the file"):
        read_site(tmp_path / "folder.yml")
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(SiteError, match="is no plain file"):
        read_site(tmp_path / "pipe.yml")
