"""Recordings under a root folder, read on request.

Stores made by RVT can be read as well. They have no index and no record of how they were made.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import file_identity
from etram_pipeline.stores.index import Failure, IndexEntry, read_index
from etram_pipeline.stores.layout import Product
from etram_pipeline.stores.record import Summary

Stored = TypeVar("Stored")


class Store(Mapping[str, Stored]):
    """Recordings under a root folder by key: those of the index, or all if there is no index."""

    def __init__(self, root: Path, product: Product) -> None:
        self._root = root
        self._index = read_index(root, product)
        if self._index is not None and not self._index.complete:
            raise StoreError(
                f"making {root} was interrupted: run `preprocess` again, which keeps what is done"
            )
        self._files = self._indexed() if self._index else self._scanned()
        if not self._files and self._index is None:
            raise StoreError(f"no {product} of any recording in {root}: run `preprocess` first")

    @property
    def root(self) -> Path:
        """Folder the recordings lie under."""
        return self._root

    @property
    def skipped(self) -> dict[str, str]:
        """Recordings without anything to store, and the reason."""
        skipped = self._index.skipped if self._index else {}
        return {key: skip.reason for key, skip in skipped.items()}

    @property
    def failed(self) -> dict[str, Failure]:
        """Recordings that the last build could not compute."""
        return dict(self._index.failed) if self._index else {}

    @property
    def summaries(self) -> dict[str, Summary]:
        """Counts of each recording; empty for a store made elsewhere."""
        return {key: entry.summary for key, entry in self._entries.items()}

    @property
    def made_with(self) -> dict[str, Any]:
        """Parameters of the last build as plain data; empty if not known."""
        entries = self._index.recordings.values() if self._index else ()
        origins = (entry.origin for entry in entries)
        return next((origin.parameters for origin in origins if origin is not None), {})

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    @override
    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._root}, {counted(len(self), 'recording')})"

    def __fingerprint__(self) -> object:
        return self.content(self) or self.identity(self)

    def identity(self, keys: Iterable[str]) -> dict[str, object]:
        """What identifies the stored data of some recordings.

        The dates of the inputs and the compression of the images are part of it.
        """
        entries = self._entries
        return {
            key: entries[key].fingerprint if key in entries else file_identity(self._files[key])
            for key in keys
        }

    def content(self, keys: Iterable[str]) -> dict[str, str] | None:
        """Hashes that change only with the stored content of some recordings.

        None if a hash is not known, as for a store made elsewhere or before inputs were hashed.
        """
        contents = {key: self._content(key) for key in keys}
        return contents if all(contents.values()) else None

    @property
    def _entries(self) -> dict[str, IndexEntry]:
        return self._index.recordings if self._index else {}

    def _content(self, key: str) -> str:  # noqa: ARG002  # stores that know it need the key
        """Hash of the stored content of a recording; empty if not known."""
        return ""

    def _indexed(self) -> dict[str, Path]:
        return {key: self._root / entry.file for key, entry in self._entries.items()}

    @abstractmethod
    def _scanned(self) -> dict[str, Path]:
        """File of each recording in a store without an index."""
