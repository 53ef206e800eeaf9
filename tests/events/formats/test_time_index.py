"""The index of times by itself, and as a file."""

import json
from pathlib import Path

import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.time_index import NEVER_US, Mark, TimeIndex

IDENTITY = "0123456789abcdef"


@pytest.fixture
def index() -> TimeIndex:
    """Four blocks that end at 10, 10, 30 and 40 us; the first has no event."""
    made = TimeIndex(Mark(state=(1, 2)))
    for block, (num_events, latest_us) in enumerate([(0, NEVER_US), (5, 10), (9, 30), (9, 40)]):
        made.add(block, Mark(num_events, latest_us, (block, -block)))
    made.finish()
    return made


@pytest.mark.parametrize(
    ("start_us", "block"),
    [(None, 0), (-5, 1), (0, 1), (10, 1), (11, 2), (30, 2), (31, 3), (40, 3), (41, 4)],
)
def test_the_block_found_is_the_first_that_can_hold_the_time(
    start_us: int | None, block: int, index: TimeIndex
) -> None:
    assert index.find(start_us) == block


def test_the_mark_before_a_block_is_the_end_of_the_one_before(index: TimeIndex) -> None:
    assert index.before(0) == Mark(0, NEVER_US, (1, 2))
    assert index.before(3) == Mark(9, 30, (2, -2))


def test_the_end_is_known_only_after_the_last_block() -> None:
    index = TimeIndex()
    index.add(0, Mark(3, 7))

    assert index.end is None
    index.finish()
    assert index.end == Mark(3, 7)


def test_a_block_after_one_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="block 1 was marked, but only 0 are known"):
        TimeIndex().add(1, Mark())


def test_a_file_gives_back_the_index_written(index: TimeIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "folder/times.index", IDENTITY)

    loaded = TimeIndex.load(tmp_path / "folder/times.index", IDENTITY)

    assert loaded is not None
    assert loaded.end == index.end == Mark(9, 40, (3, -3))
    assert [loaded.before(block) for block in range(5)] == [index.before(b) for b in range(5)]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["times.index"]


def test_an_index_of_another_recording_is_not_loaded(index: TimeIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "times.index", IDENTITY)

    assert TimeIndex.load(tmp_path / "times.index", "another") is None


def test_a_missing_index_is_not_loaded(tmp_path: Path) -> None:
    assert TimeIndex.load(tmp_path / "times.index", IDENTITY) is None
    assert TimeIndex.load(tmp_path, IDENTITY) is None


def test_an_index_damaged_anywhere_is_not_loaded(index: TimeIndex, tmp_path: Path) -> None:
    path = tmp_path / "times.index"
    index.save(path, IDENTITY)
    content = path.read_bytes()
    length = len(content)

    for place in range(length):
        path.write_bytes(content[:place])
        assert TimeIndex.load(path, IDENTITY) is None
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        loaded = TimeIndex.load(path, IDENTITY)
        assert loaded is None or loaded.end == index.end


@pytest.mark.parametrize("first_line", [[], {}, 5, {"digest": None}, "x" * 9000, [[[[]]]]])
def test_a_first_line_of_another_kind_is_not_loaded(first_line: object, tmp_path: Path) -> None:
    path = tmp_path / "times.index"
    path.write_text(json.dumps(first_line) + "\n")

    assert TimeIndex.load(path, IDENTITY) is None


def test_a_place_that_cannot_be_written_to_is_named(index: TimeIndex, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RecordingError, match=r"times\.index: the time index cannot be written"):
        index.save(tmp_path / "file/times.index", IDENTITY)
