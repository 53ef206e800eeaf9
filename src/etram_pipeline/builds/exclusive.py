"""Exclusive access to a store, and the removal of unfinished files of a killed build.

The lock of the store is `core.locks.held`. A second lock is shared by all jobs at work: the run
that has the store waits until jobs of a killed run end, while `held` does not wait for live
processes.
"""

import fcntl
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.locks import Access, held, lock
from etram_pipeline.stores.layout import Product

_PATIENCE_S = 15.0
"""How long jobs of a killed run may take to notice its end."""


@dataclass(frozen=True)
class Claim:
    """The right to write one product under a root; it can be pickled.

    Attributes:
        root: Folder of the store.
        product: The product that may be written.
        token: Distinguishes this claim from earlier ones on the same product.
    """

    root: Path
    product: Product
    token: str

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold the store for one job; a later run waits until the block ends.

        Raises:
            StoreError: If the run that claimed the store was killed and another one has it now.
        """
        with self._workers_lock.open("a+") as file:
            lock(file, fcntl.LOCK_SH)
            if not _is_current(self):
                raise StoreError(f"the run this job belongs to no longer writes to {self.root}")
            yield

    def wait_for_workers(self) -> None:
        """Wait until jobs of a killed run have ended.

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
    """Be the only process that writes this product under `root`, until the block ends.

    Raises:
        BusyError: If another process is writing it.
        StoreError: If jobs of a killed run do not end.
    """
    access = _access(root, product)
    with held(access, "wait until it is done, or choose another folder in the catalog"):
        claim = Claim(root, product, secrets.token_hex(8))
        with access.lock.open("a") as file:
            file.write(f"{claim.token}\n")
        claim.wait_for_workers()
        yield claim


def sweep(root: Path, product: Product) -> None:
    """Remove unfinished files under `root`, which the caller must hold exclusively."""
    for pattern in (f".{product}.*.partial", f"*/*/{product}/**/.*.partial"):
        for path in root.glob(pattern):
            path.unlink(missing_ok=True)


def _access(root: Path, product: Product) -> Access:
    return Access(root / product)


def _is_current(claim: Claim) -> bool:
    """Whether no later run has claimed the product; the lock file ends with the last token."""
    lines = _access(claim.root, claim.product).lock.read_text().splitlines()
    return lines[-1:] == [claim.token]
