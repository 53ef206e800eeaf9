"""Keeping two builds out of one store, and clearing away what a killed one left."""

import fcntl
import os
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


def sweep(root: Path) -> None:
    """Remove unfinished files under `root` whose process is no more."""
    for path in root.rglob(".*.partial"):
        owner = path.name.split(".")[-2]
        if owner.isdigit() and not _is_running(int(owner)):
            path.unlink(missing_ok=True)


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
