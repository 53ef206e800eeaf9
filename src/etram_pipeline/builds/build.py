"""Building a store: computing what is missing or out of date for many recordings.

Stored files carry the fingerprint of their inputs and settings, so a build that was killed goes on
when it is started again. An index lists the recordings of the last build with inputs and settings.
"""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from etram_pipeline.builds.exclusive import exclusive, sweep
from etram_pipeline.builds.job import BuildJob
from etram_pipeline.builds.state import BuildState
from etram_pipeline.core.counts import counted_of
from etram_pipeline.core.errors import NoLabelsError, StoreError
from etram_pipeline.core.files import is_out_of_space, out_of_space
from etram_pipeline.stores.index import Index, read_index, write_index
from etram_pipeline.stores.layout import Product

__all__ = ["BuildJob", "build"]

logger = logging.getLogger(__name__)

_MOST_FAILURES_SHOWN = 10


def build(
    root: Path,
    product: Product,
    jobs: Mapping[str, BuildJob],
    executor: Executor,
    *,
    raise_failures: bool = True,
) -> Index:
    """Bring the store under `root` up to date.

    Recordings whose files were made from the same inputs with the same settings are not computed
    again. Files of recordings without a job stay on disk, but are no longer in the index.

    Args:
        root: Folder of the store.
        product: The product that the jobs write.
        jobs: Jobs by recording.
        executor: Where the jobs run.
        raise_failures: Whether failed recordings are an error once all others are done. If not,
            only the index lists them.

    Returns:
        The index of the store.

    Raises:
        StoreError: If the folder cannot be written to, or if recordings failed; gives the reason
            of each.
        BusyError: If another run writes to the folder.
        NoLabelsError: If there was nothing to store of any recording.
    """
    root = root.absolute()
    with ExitStack() as stack:
        with _writing_to(root):
            root.mkdir(parents=True, exist_ok=True)
            claim = stack.enter_context(exclusive(root, product))
            sweep(root, product)
        last = _last_index(root, product)
        state = BuildState(claim, jobs, last)
        state.look_up()
        if state.to_compute:
            with _writing_to(root):
                write_index(root, product, last := state.index(complete=False))
            state.compute(executor)
        index = state.index(complete=True)
        try:
            if index != last:
                with _writing_to(root):
                    write_index(root, product, index)
        finally:
            # Failures say more than an index that cannot be written.
            if raise_failures:
                _raise_failures(index)
    return index


@contextmanager
def _writing_to(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_out_of_space(error):
            raise StoreError(out_of_space(root)) from error
        raise StoreError(
            f"{root} cannot be written to ({error}): make it writable, choose another folder in "
            "the catalog, or, if it is complete, run only the pipelines that read it"
        ) from error


def _last_index(root: Path, product: Product) -> Index:
    try:
        return read_index(root, product) or Index(complete=False)
    except StoreError:
        # A new one is written at the end.
        return Index(complete=False)


def _raise_failures(index: Index) -> None:
    if index.failed:
        shown = [f"  {key}: {reason}" for key, reason in index.failed.items()]
        num_hidden = len(shown) - _MOST_FAILURES_SHOWN
        if num_hidden > 0:
            shown[_MOST_FAILURES_SHOWN:] = [f"  and {num_hidden} more, see the log"]
        num_all = len(index.failed) + len(index.recordings) + len(index.skipped)
        raise StoreError(
            f"{counted_of(len(index.failed), num_all, 'recording')} failed; the others are kept, "
            "and the next run tries again:\n" + "\n".join(shown)
        )
    if index.skipped and not index.recordings:
        key, skip = next(iter(index.skipped.items()))
        raise NoLabelsError(f"nothing to store of any recording; {key}, for one: {skip.reason}")
