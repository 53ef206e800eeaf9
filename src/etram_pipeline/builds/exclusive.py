"""Keeping two builds out of one store, and clearing away what a killed one left."""

import fcntl
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.locks import UNKNOWN_HOLDER, lock, signature
from etram_pipeline.stores.layout import Product

_PATIENCE_S = 15.0
"""How long jobs of a killed run may take to notice that it is gone."""


@dataclass(frozen=True)
class Claim:
    """The right to write one product under a root; it can be sent to another process.

    Attributes:
        root: Folder of the store.
        product: What is written there.
        token: Tells this claim from an earlier one on the same.
    """

    root: Path
    product: Product
    token: str

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold the store for one job: a run that comes later waits until the block ends.

        Raises:
            StoreError: If the run that claimed the store was killed and another one has it now.
        """
        with self._workers_lock.open("a+") as file:
            lock(file, fcntl.LOCK_SH)
            if _holder(_lock_path(self.root, self.product))[0] != self.token:
                raise StoreError(f"the run this job belongs to no longer writes to {self.root}")
            yield

    def wait_for_workers(self) -> None:
        """Let jobs that a killed run left behind come to their end.

        Raises:
            StoreError: If they take too long.
        """
        deadline = time.monotonic() + _PATIENCE_S
        with self._workers_lock.open("a+") as file:
            while True:
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise StoreError(
                            f"workers of an earlier run, which was killed, still write to "
                            f"{self.root}: end them, or run again once they are done"
                        ) from error
                    time.sleep(0.02)
                else:
                    return

    @property
    def _workers_lock(self) -> Path:
        return self.root / f".{self.product}.workers.lock"


@contextmanager
def exclusive(root: Path, product: Product) -> Iterator[Claim]:
    """Be the only one to write this product under `root`, until the block or the process ends.

    Raises:
        StoreError: If another process is writing it.
    """
    path = _lock_path(root, product)
    with path.open("a+") as file:  # emptied only when locked: it says who holds it
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"another run is writing to {root} ({_holder(path)[1]}): wait until it is done, "
                "or choose another folder in the catalog"
            ) from error
        claim = Claim(root, product, secrets.token_hex(8))
        file.truncate(0)
        file.write(f"{claim.token}\n{signature()}\n")
        file.flush()
        claim.wait_for_workers()
        yield claim


def sweep(root: Path, product: Product) -> None:
    """Remove unfinished files under `root`; for the one that writes exclusively, all are dead."""
    for pattern in (f".{product}.*.partial", f"*/*/{product}/**/.*.partial"):
        for path in root.glob(pattern):
            path.unlink(missing_ok=True)


def _lock_path(root: Path, product: Product) -> Path:
    return root / f".{product}.lock"


def _holder(path: Path) -> tuple[str, str]:
    """Token of the last claim, and who made it."""
    token, _, who = path.read_text().partition("\n")
    return token, who.strip() or UNKNOWN_HOLDER
