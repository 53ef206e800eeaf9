"""The index of a store."""

import json
from pathlib import Path

import pytest

from etram_pipeline.stores.index import Failure, Index, index_path, read_index, write_index
from etram_pipeline.stores.layout import LABELS

TEXTS = {
    "LabelError: a_bbox.npy cannot be read: 3 bytes": Failure(
        "a_bbox.npy cannot be read: 3 bytes", "LabelError"
    ),
    "error: Error -3 while decompressing\ndata": Failure(
        "Error -3 while decompressing\ndata", "error"
    ),
    "not computed: BrokenProcessPool: it ended": Failure(
        "not computed: BrokenProcessPool: it ended"
    ),
    "not tried, because the disk is full": Failure("not tried, because the disk is full"),
    "": Failure(""),
}


@pytest.mark.parametrize(("text", "failure"), TEXTS.items())
def test_a_failure_is_stored_as_text_and_read_back(
    tmp_path: Path, text: str, failure: Failure
) -> None:
    write_index(tmp_path, LABELS, Index(complete=True, failed={"train/a": failure}))

    stored = json.loads(index_path(tmp_path, LABELS).read_text())
    assert stored["failed"] == {"train/a": text}
    found = read_index(tmp_path, LABELS)
    assert found is not None
    assert found.failed == {"train/a": failure}
