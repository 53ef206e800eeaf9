"""Keys of recordings."""

import pytest

from etram_pipeline.core.recording_key import RecordingKey, in_splits


@pytest.mark.parametrize("text", ["train/a", "test/a.b_td", "val/a/b"])
def test_a_key_is_written_as_it_was_read(text: str) -> None:
    assert str(RecordingKey.parse(text)) == text


def test_the_first_slash_ends_the_split() -> None:
    assert RecordingKey.parse("val/a/b") == RecordingKey("val", "a/b")


@pytest.mark.parametrize("text", ["", "a", "/a", "train/"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the key of a recording"):
        RecordingKey.parse(text)


def test_keys_are_chosen_by_their_split_in_their_order() -> None:
    keys = ["val/b", "train/val", "val/a", "test/c"]
    assert in_splits(keys, ("val", "test")) == ["val/b", "val/a", "test/c"]
