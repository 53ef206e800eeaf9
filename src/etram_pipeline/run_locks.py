"""Locks on everything that a run writes or reads: a second run is refused before it computes.

A run holds exclusive locks on what it writes, and shared locks on what it reads, from before its
first node until its end. So it predicts with the detector that it trained. The locks are those of
the operating system, on hidden files beside the data; these files stay, and mean nothing by
themselves.
"""

import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.locks import Access, held
from etram_pipeline.datasets.files import FileDataset, path_of
from etram_pipeline.session import HeldHook

REMEDY = (
    "wait until it is done, or give this run folders of its own: `--params results=…` for "
    "detectors, detections and reports, `--params data=…` for everything"
)


class Locks(HeldHook):
    """Keeps two runs from writing the same files, or one from writing what the other reads."""

    def __init__(self) -> None:
        self._of_thread = threading.local()  # one session runs in one thread

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Take all that the run needs, or nothing.

        Raises:
            BusyError: If another run has some of it.
            StoreError: If something is to be written where nothing can be.
        """
        self.let_go()
        with ExitStack() as stack:
            for need in needs(pipeline, catalog):
                try:
                    stack.enter_context(held(need, REMEDY))
                except OSError as error:
                    raise StoreError(
                        f"{need.path} cannot be written to ({error}): make its folder writable, or "
                        "choose another one by `--params results=…` or `--params data=…`"
                    ) from error
            self._of_thread.held = stack.pop_all()

    @override
    def let_go(self) -> None:
        getattr(self._of_thread, "held", ExitStack()).close()


def needs(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> list[Access]:
    """What a run writes, and what it reads that another run may write, in the order to lock it.

    All runs lock in the same order: of two that begin at once, one gets everything.
    """
    made = {name for each in pipelines.values() for name in each.all_outputs()}
    outputs = pipeline.all_outputs()
    inputs = (pipeline.inputs() & made) - outputs
    written = _resolved(path_of(catalog.get(name)) for name in outputs)
    read = _resolved(read_path(catalog.get(name)) for name in inputs)
    return sorted(
        [Access(path) for path in written] + [Access(path, shared=True) for path in read - written],
        key=lambda need: str(need.path),
    )


def read_path(dataset: object) -> Path | None:
    """File or folder that a dataset loads, if it is on a disk of this machine."""
    return dataset.source if isinstance(dataset, FileDataset) else path_of(dataset)


def _resolved(paths: Iterable[Path | None]) -> set[Path]:
    return {path.resolve() for path in paths if path is not None}
