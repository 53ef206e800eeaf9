"""The index of a store: what the last build stored, skipped and could not compute.

It lies under the root of the store, in one file for each product; RVT ignores it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import FileIdentity
from etram_pipeline.stores.layout import Product
from etram_pipeline.stores.record import Summary


class Provenance(Settings):
    """Everything that determines what is stored of one recording; a change can be named.

    Attributes:
        recipe: The kind of computation and its version.
        parameters: Settings, as plain data.
        inputs: Files that were read.
    """

    recipe: str
    parameters: dict[str, Any]
    inputs: tuple[FileIdentity, ...]

    def __fingerprint__(self) -> object:
        return [self.recipe, self.inputs, self.parameters]


class IndexEntry(Settings):
    """One stored recording in an index.

    Attributes:
        file: The stored file that holds the record, relative to the root.
        fingerprint: The fingerprint in its record.
        summary: The summary in its record.
        origin: Its inputs and settings; None if not known.
        sizes: Bytes of each of its files, by name relative to the recording's folder.
    """

    file: str
    fingerprint: str
    summary: Summary
    origin: Provenance | None = None
    sizes: dict[str, int] = Field(default_factory=dict)


class Skip(Settings):
    """A recording without anything to store.

    Attributes:
        fingerprint: Fingerprint of the inputs and settings.
        reason: Why there is nothing to store.
        origin: The inputs and settings; None if not known.
    """

    fingerprint: str
    reason: str
    origin: Provenance | None = None


@dataclass(frozen=True)
class Failure:
    """Why a recording could not be computed; the index holds it as text.

    Attributes:
        message: The reason.
        error: Name of the error's class; empty if the build gave the reason.
    """

    message: str
    error: str = ""

    @classmethod
    def parse(cls, text: str) -> "Failure":
        """The failure that a text in an index stands for."""
        named = _NAMED_ERROR.fullmatch(text)
        return cls(named[2], named[1]) if named else cls(text)

    def __str__(self) -> str:
        return f"{self.error}: {self.message}" if self.error else self.message


_NAMED_ERROR = re.compile(r"(\w+): (.*)", re.DOTALL)


def _as_failure(value: object) -> object:
    return Failure.parse(value) if isinstance(value, str) else value


_StoredFailure = Annotated[Failure, BeforeValidator(_as_failure), PlainSerializer(str)]


class Index(Settings):
    """The result of the last build under a root.

    Attributes:
        complete: Whether the build ran to its end.
        recordings: Stored recordings, by key.
        skipped: Recordings without anything to store, by key.
        failed: Recordings that could not be computed, by key.
    """

    complete: bool
    recordings: dict[str, IndexEntry] = Field(default_factory=dict)
    skipped: dict[str, Skip] = Field(default_factory=dict)
    failed: dict[str, _StoredFailure] = Field(default_factory=dict)


def index_path(root: Path, product: Product) -> Path:
    """The index file of a product under `root`."""
    return root / f"{product}.index.json"


def read_index(root: Path, product: Product) -> Index | None:
    """The result of the last build under `root`; None before the first build.

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
