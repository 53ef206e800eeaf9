"""Locks on everything that a run writes or reads; a second run is refused before it computes.

A run holds exclusive locks on its outputs and shared locks on its inputs, from before its first
node until its end. So it predicts with the detector that it trained. The operating system manages
the locks, on hidden files beside the data. The files remain afterwards and have no meaning of their
own.
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
from etram_pipeline.datasets.files import ReadsAnother, path_of
from etram_pipeline.session import ResourceHook

REMEDY = (
    "wait until it is finished, or give this run folders of its own: `--params results=…` for "
    "detectors, detections and reports, `--params data=…` for everything"
)


class Locks(ResourceHook):
    """Keeps two runs from writing the same files, and one from writing the inputs of the other."""

    def __init__(self) -> None:
        self._of_thread = threading.local()  # one session runs in one thread

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Take all locks that the run needs, or none.

        Raises:
            BusyError: If another run holds one of them.
            StoreError: If an output cannot be written.
        """
        self.release()
        with ExitStack() as stack:
            for access in accesses(pipeline, catalog):
                try:
                    stack.enter_context(held(access, REMEDY))
                except OSError as error:
                    raise StoreError(
                        f"{access.path} cannot be written to ({error}): make its folder writable, "
                        "or choose another one with `--params results=…` or `--params data=…`"
                    ) from error
            self._of_thread.held = stack.pop_all()

    @override
    def release(self) -> None:
        getattr(self._of_thread, "held", ExitStack()).close()


def accesses(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> list[Access]:
    """Outputs of a run, and inputs that another run may write, in the order of locking.

    All runs lock in the same order, so of two that begin at once, one gets all locks.
    """
    made = {name for each in pipelines.values() for name in each.all_outputs()}
    outputs = pipeline.all_outputs()
    inputs = (pipeline.inputs() & made) - outputs
    written = _resolved(path_of(catalog.get(name)) for name in outputs)
    read = _resolved(read_path(catalog.get(name)) for name in inputs)
    return sorted(
        [Access(path) for path in written] + [Access(path, shared=True) for path in read - written],
        key=lambda access: str(access.path),
    )


def read_path(dataset: object) -> Path | None:
    """File or folder that a dataset loads, if it is on a disk of this machine."""
    return dataset.source if isinstance(dataset, ReadsAnother) else path_of(dataset)


def _resolved(paths: Iterable[Path | None]) -> set[Path]:
    return {path.resolve() for path in paths if path is not None}
