"""Computing what is missing or out of date, of many recordings, in a way that survives anything.

The files of each recording say themselves what made them, so a build that was killed is continued
by starting it again. An index lists the recordings of the last build, and what they were made of.
"""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from etram_pipeline.builds.exclusive import exclusive, sweep
from etram_pipeline.builds.job import BuildJob
from etram_pipeline.builds.state import BuildState
from etram_pipeline.core.errors import NoLabelsError, StoreError
from etram_pipeline.core.files import is_out_of_space, out_of_space
from etram_pipeline.core.wording import share
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
    """Bring what is stored under `root` up to date with `jobs`.

    Recordings are skipped whose files were made from the same inputs by the same settings. Files of
    recordings that have no job any more stay where they are, but are no longer listed.

    Args:
        root: Folder of the store.
        product: What the jobs make.
        jobs: By `<split>/<recording>`.
        executor: Where to run them.
        raise_failures: Whether failed recordings, once all others are done, are an error. If not,
            the index alone tells of them.

    Returns:
        What is stored now, and what is not.

    Raises:
        StoreError: If the folder cannot be written to, or another run writes to it; or if
            recordings failed, and why each of them did.
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
            # They say more than that the index could not be written either.
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
        # It is written anew at the end.
        return Index(complete=False)


def _raise_failures(index: Index) -> None:
    if index.failed:
        shown = [f"  {key}: {reason}" for key, reason in index.failed.items()]
        num_hidden = len(shown) - _MOST_FAILURES_SHOWN
        if num_hidden > 0:
            shown[_MOST_FAILURES_SHOWN:] = [f"  and {num_hidden} more, see the log"]
        num_all = len(index.failed) + len(index.recordings) + len(index.skipped)
        raise StoreError(
            f"{share(len(index.failed), num_all, 'recording')} failed; the others are kept, and "
            "the next run tries again:\n" + "\n".join(shown)
        )
    if index.skipped and not index.recordings:
        key, skip = next(iter(index.skipped.items()))
        raise NoLabelsError(f"nothing to store of any recording; {key}, for one: {skip.reason}")
