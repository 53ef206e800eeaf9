"""Masks in stores of labelled frames."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.stores.test_store import labelled_frames, write_as_rvt, write_as_we_do

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.mask_column import has_masks, with_masks, without_masks
from etram_pipeline.core.run_lengths import encode_masks
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS
from etram_pipeline.stores.record import Record
from etram_pipeline.stores.writer import write_labelled_frames

MASKS = encode_masks(np.random.default_rng(0).random((5, 9, 7)) < 0.4)
RECORD = Record(fingerprint="f" * 16, settings={})


def masked_frames() -> LabelledFrames:
    frames = labelled_frames()
    return replace(frames, labels=with_masks(frames.labels, MASKS))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store whose first recording has masks, unlike its second."""
    write_as_we_do(tmp_path, ["train/a", "train/b"])
    write_labelled_frames(tmp_path / "train/a" / LABELS, masked_frames(), RECORD)
    return tmp_path


def test_masks_are_read_where_they_are_wanted(root: Path) -> None:
    store = LabelStore(root)
    assert not has_masks(store["train/a"].labels)
    frames = store.with_masks()["train/a"]
    assert frames.labels["mask"].tolist() == MASKS
    assert frames[1]["mask"].tolist() == MASKS[2:3]
    np.testing.assert_array_equal(without_masks(frames.labels), store["train/a"].labels)
    assert [store.has_masks(key) for key in store] == [True, False]


def test_the_content_has_masks_where_they_are_read(root: Path) -> None:
    store = LabelStore(root)
    before = (
        fingerprint(store.content(["train/a"])),
        fingerprint(store.with_masks().content(["train/a"])),
    )
    other = replace(masked_frames(), labels=with_masks(labelled_frames().labels, MASKS[::-1]))
    write_labelled_frames(root / "train/a" / LABELS, other, RECORD)
    after = (
        fingerprint(store.content(["train/a"])),
        fingerprint(store.with_masks().content(["train/a"])),
    )
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_labels_stored_without_masks_lose_those_of_before(root: Path) -> None:
    write_labelled_frames(root / "train/a" / LABELS, labelled_frames(), RECORD)
    assert not LabelStore(root).has_masks("train/a")


@pytest.mark.parametrize("write", [write_as_we_do, lambda root, keys: write_as_rvt(root, keys[0])])
def test_labels_without_masks_are_refused_where_masks_are_wanted(
    tmp_path: Path, write: Callable[[Path, list[str]], object]
) -> None:
    write(tmp_path, ["train/a"])
    with pytest.raises(StoreError, match="labels_v2 have no masks: put a file <recording>_masks"):
        LabelStore(tmp_path).with_masks()["train/a"]


def test_damaged_masks_are_refused(root: Path) -> None:
    path = root / "train/a" / LABELS / "masks.json"
    text = path.read_text()
    path.write_text(text[:-20])
    with pytest.raises(
        StoreError, match=r"cannot be read as a JSON list .* run `preprocess` again"
    ):
        LabelStore(root).with_masks()["train/a"]
    path.write_text("[]")
    with pytest.raises(StoreError, match="there are 0 masks of 5 boxes; run `preprocess` again"):
        LabelStore(root).with_masks()["train/a"]
