"""Stores of recordings; saving computes what is missing or out of date."""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import (
    ExecutorConfig,
    inline,
    open_executor,
    processes,
    read_executor,
)
from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.files import Loaded, ReadsAnother, Saved
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS, Product
from etram_pipeline.stores.representation_store import RepresentationStore

logger = logging.getLogger(__name__)

StoreType = TypeVar("StoreType")

_LEAST_BYTES_FOR_PROCESSES = 8_000_000  # about 1 s of work, as long as starting a process


class ComputedDataset(AbstractDataset[Saved, Loaded]):
    """A folder whose content an executor computes on saving."""

    def __init__(
        self,
        *,
        path: str,
        executor: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        self.executor = read_executor(executor)
        self.metadata = metadata

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "executor": self.executor.model_dump(mode="json")}


class StoreDataset(ComputedDataset[Mapping[str, BuildJob], StoreType]):
    """A folder of recordings."""

    @override
    def _exists(self) -> bool:
        try:
            self.load()
        except (DatasetError, StoreError):
            return False
        return True


class PreprocessedDataset(ReadsAnother, StoreDataset[StoreType]):
    """A folder of recordings, or another one that is only read."""

    def __init__(
        self,
        *,
        path: str,
        executor: dict[str, Any] | None = None,
        read_from: dict[str, str | None] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path=path, executor=executor, metadata=metadata)
        self.source = Path((read_from or {}).get("path") or path)

    @property
    @override
    def reads_another(self) -> bool:
        return self.source != self._path

    @override
    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"read_from": str(self.source)}

    def _open(self, open_store: Callable[[Path], StoreType]) -> StoreType:
        if self.reads_another and not self.source.is_dir():
            raise DatasetError(f"{self.source} is no folder: check the path")
        return load_store(open_store, self.source)

    def _build(
        self, product: Product, jobs: Mapping[str, BuildJob], *, raise_failures: bool
    ) -> None:
        if self.reads_another:
            raise DatasetError(f"{self.source} is only read; drop `preprocessed` to preprocess")
        build_store(self._path, product, jobs, self.executor, raise_failures=raise_failures)


class LabelledFramesDataset(PreprocessedDataset[LabelStore]):
    """Labelled frames by recording, in RVT's layout.

    Saving takes one job per recording and runs the jobs whose result is missing or out of date. A
    recording whose labels cannot be read is reported when it is encoded.

    Args:
        path: Folder of the store; may be the same as that of the histograms.
        executor: Where jobs run: `{kind: inline}`, `{kind: processes, workers: 4}` or
            `{kind: dask, …}`.
        read_from: Another folder to load instead, as `{path: …}`. It is never written, and a run
            that would save to this dataset is refused.
        metadata: Read by kedro-viz.
    """

    @override
    def load(self) -> LabelStore:
        return self._open(LabelStore)

    @override
    def save(self, data: Mapping[str, BuildJob]) -> None:
        self._build(LABELS, data, raise_failures=False)

    def preview(self, nrows: int = 10) -> TablePreview:
        """Frames and boxes of the first recordings, for kedro-viz."""
        summaries = list(self.load().summaries.items())[:nrows]
        rows = [[key, summary.num_frames, summary.num_boxes] for key, summary in summaries]
        return table_preview(["recording", "labelled frames", "boxes"], rows)


class RepresentationsDataset(PreprocessedDataset[RepresentationStore]):
    """Representations by recording, in RVT's layout.

    Saving takes one job per recording and runs the jobs whose result is missing or out of date. A
    failed job does not stop the others; all failures are raised as one error at the end.

    Args:
        path: Folder of the store.
        executor: Where jobs run: `{kind: inline}`, `{kind: processes, workers: 4}` or
            `{kind: dask, …}`.
        read_from: As for `LabelledFramesDataset`.
        representation: Folder name of the representation, for a store made elsewhere that holds
            several.
        metadata: Read by kedro-viz.
    """

    def __init__(
        self,
        *,
        path: str,
        executor: dict[str, Any] | None = None,
        read_from: dict[str, str | None] | None = None,
        representation: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path=path, executor=executor, read_from=read_from, metadata=metadata)
        self._representation = representation

    @override
    def load(self) -> RepresentationStore:
        return self._open(lambda root: RepresentationStore(root, self._representation))

    @override
    def save(self, data: Mapping[str, BuildJob]) -> None:
        self._build(REPRESENTATIONS, data, raise_failures=True)

    def preview(self, nrows: int = 10) -> TablePreview:
        """Windows, events and size of the first recordings, for kedro-viz."""
        rows = [
            [key, summary.num_windows, summary.num_events, round(summary.num_bytes / 1e6, 1)]
            for key, summary in list(self.load().summaries.items())[:nrows]
        ]
        return table_preview(["recording", "windows", "events", "MB"], rows)


def load_store(open_store: Callable[[Path], StoreType], path: Path) -> StoreType:
    """Open the store under `path`.

    Raises:
        DatasetError: If the folder does not exist.
    """
    if not path.is_dir():
        raise DatasetError(f"{path} does not exist: run `kedro run --pipelines preprocess`")
    return open_store(path)


def build_store(
    path: Path,
    product: Product,
    jobs: Mapping[str, BuildJob],
    executor: ExecutorConfig,
    *,
    raise_failures: bool,
) -> None:
    """Bring the store under `path` up to date with `jobs`."""
    with open_executor(where_to_run(executor, jobs.values())) as pool:
        build(path, product, jobs, pool, raise_failures=raise_failures)


def where_to_run(executor: ExecutorConfig, jobs: Iterable[BuildJob]) -> ExecutorConfig:
    """The executor for the jobs; this process if starting others would take longer."""
    if not isinstance(executor, processes.Config):
        return executor
    files = {path for job in jobs for path in job.inputs}
    num_bytes = sum(path.stat().st_size for path in files if path.is_file())
    if num_bytes >= _LEAST_BYTES_FOR_PROCESSES:
        return executor
    return inline.Config(kind="inline")


def table_preview(columns: list[str], rows: list[list[Any]]) -> TablePreview:
    """A table for kedro-viz."""
    return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})
