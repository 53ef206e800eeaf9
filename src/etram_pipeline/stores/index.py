"""The index of a store: what the last build stored, skipped and could not compute.

It lies under the root of the store, in one file for each product; RVT ignores it.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import FileIdentity
from etram_pipeline.stores.layout import Product
from etram_pipeline.stores.record import Summary


class Provenance(Settings):
    """All that decided what is stored of one recording, so that a change of it can be named.

    Attributes:
        recipe: What was done, and in which version.
        parameters: Settings, as plain data.
        inputs: Files that were read.
    """

    recipe: str
    parameters: dict[str, Any]
    inputs: tuple[FileIdentity, ...]

    def __fingerprint__(self) -> object:
        return [self.recipe, self.inputs, self.parameters]


class IndexEntry(Settings):
    """One recording in an index.

    Attributes:
        file: The stored file that holds the record, relative to the root.
        fingerprint: Of its record.
        summary: Of its record.
        origin: What it was made of; None where that is not known.
        sizes: Bytes of each of its files, by name relative to the recording's folder.
    """

    file: str
    fingerprint: str
    summary: Summary
    origin: Provenance | None = None
    sizes: dict[str, int] = Field(default_factory=dict)


class Skip(Settings):
    """A recording of which there is nothing to store.

    Attributes:
        fingerprint: Of the inputs and settings that this is true of.
        reason: Why.
        origin: What it was looked for in; None where that is not known.
    """

    fingerprint: str
    reason: str
    origin: Provenance | None = None


class Index(Settings):
    """What the last build under a root came to.

    Attributes:
        complete: Whether the build ran to its end.
        recordings: Stored recordings, by key.
        skipped: Recordings of which there is nothing to store.
        failed: Recordings that could not be computed, and why.
    """

    complete: bool
    recordings: dict[str, IndexEntry] = Field(default_factory=dict)
    skipped: dict[str, Skip] = Field(default_factory=dict)
    failed: dict[str, str] = Field(default_factory=dict)


def index_path(root: Path, product: Product) -> Path:
    """File that lists what the last build under `root` stored."""
    return root / f"{product}.index.json"


def read_index(root: Path, product: Product) -> Index | None:
    """What the last build under `root` stored; None where no build ever was.

    Raises:
        StoreError: If the index is damaged.
    """
    path = index_path(root, product)
    if not path.is_file():
        return None
    try:
        return Index.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged; run `preprocess` again") from error


def write_index(root: Path, product: Product, index: Index) -> None:
    """Replace the index under `root`."""
    with written_whole(index_path(root, product)) as partial:
        partial.write_text(json.dumps(index.model_dump(mode="json"), indent=1))
