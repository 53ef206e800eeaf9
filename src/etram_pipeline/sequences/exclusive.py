"""Keeping two builds out of one store, and clearing away what a killed one left."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etram_pipeline.core.errors import StoreError
from etram_pipeline.sequences.layout import Product


@contextmanager
def exclusive(root: Path, product: Product) -> Iterator[None]:
    """Be the only one to write this product under `root`, until the block or the process ends.

    Raises:
        StoreError: If another process is writing it.
    """
    with (root / f".{product}.lock").open("w") as file:
        try:
            # The system takes the lock from a process that ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"another run is writing to {root}: wait until it is done, or choose another "
                "folder in the catalog"
            ) from error
        yield


def sweep(root: Path, product: Product) -> None:
    """Remove unfinished files under `root`; for the one that writes exclusively, all are dead."""
    for pattern in (f".{product}.*.partial", f"*/*/{product}/**/.*.partial"):
        for path in root.glob(pattern):
            path.unlink(missing_ok=True)
