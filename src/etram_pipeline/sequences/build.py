"""Computing what is missing or out of date, of many recordings, in a way that survives anything.

The files of each recording say themselves what made them, so a build that was killed is continued
by starting it again. An index, written last, lists the recordings of the last build.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from etram_pipeline.core.errors import EtramError, NoLabelsError, StoreError
from etram_pipeline.core.fingerprint import file_identity, fingerprint
from etram_pipeline.sequences.exclusive import exclusive, sweep
from etram_pipeline.sequences.layout import (
    Entry,
    Index,
    Product,
    Record,
    Skip,
    Summary,
    read_index,
    read_record,
    write_index,
)

logger = logging.getLogger(__name__)

_MOST_FAILURES_SHOWN = 10


class Job(ABC):
    """Computes and stores what is wanted of one recording; it can be sent to another process.

    Attributes:
        recipe: Raised when the same inputs and settings give other results.
    """

    recipe: ClassVar[int]

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Files to make, relative to the recording's folder; the last one holds the record."""

    @abstractmethod
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        """Compute and store.

        Args:
            folder: Folder of the recording.
            fingerprint: To put into the record.

        Raises:
            NoLabelsError: If there is nothing to store of this recording; says why.
            EtramError: If an input is damaged; nothing stored before is lost.
        """

    @property
    @abstractmethod
    def inputs(self) -> tuple[Path, ...]:
        """Files that are read."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Everything else that decides the result, as plain data."""

    def __fingerprint__(self) -> object:
        files = [file_identity(path) for path in self.inputs]
        return [type(self).__name__, self.recipe, files, self.parameters]


Progress = Callable[[str, int, int], None]
"""Is told the key of a recording that is done, how many are, and how many were to compute."""


def build(
    root: Path,
    product: Product,
    jobs: Mapping[str, Job],
    executor: Executor,
    *,
    progress: Progress | None = None,
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
        progress: Is told of every recording that is done.
        raise_failures: Whether failed recordings, once all others are done, are an error. If not,
            the index alone tells of them.

    Returns:
        What is stored now, and what is not.

    Raises:
        StoreError: If recordings failed, and why each of them did.
        NoLabelsError: If there was nothing to store of any recording.
    """
    root.mkdir(parents=True, exist_ok=True)
    with exclusive(root, product):
        sweep(root, product)
        last = _last_index(root, product)
        state = _State(root, jobs, progress)
        state.look_up(last.skipped)
        if state.to_compute:
            last = Index(complete=False, skipped=last.skipped)
            write_index(root, product, last)
            state.compute(executor)
        index = state.index()
        if index != last:
            write_index(root, product, index)
    if raise_failures:
        _raise_failures(index)
    return index


@dataclass
class _State:
    """How far a build has come."""

    root: Path
    jobs: Mapping[str, Job]
    progress: Progress | None
    fingerprints: dict[str, str] = field(default_factory=dict)
    finished: dict[str, Entry] = field(default_factory=dict)
    skipped: dict[str, Skip] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    num_settled: int = 0

    @property
    def to_compute(self) -> list[str]:
        """Keys of recordings whose files are missing or out of date."""
        return [key for key in self.fingerprints if key not in self.finished | self.skipped]

    def look_up(self, skipped: Mapping[str, Skip]) -> None:
        """Tell recordings that are up to date from those to compute.

        Args:
            skipped: Recordings that earlier builds found nothing to store of.
        """
        num_stale = 0
        for key, job in self.jobs.items():
            try:
                self.fingerprints[key] = fingerprint(job)
            except OSError as error:
                self._fail(key, f"an input cannot be read: {error}")
                continue
            if key in skipped and skipped[key].fingerprint == self.fingerprints[key]:
                self._skip(key, skipped[key].reason)
                continue
            record = _stored_record(self.root / key, job)
            if record is not None and record.fingerprint == self.fingerprints[key]:
                self.finished[key] = self._entry(key, record)
            else:
                num_stale += record is not None
        logger.info(
            "%d of %d recordings are up to date in %s; %d to compute (%d of them out of date)",
            len(self.finished),
            len(self.jobs),
            self.root,
            len(self.to_compute),
            num_stale,
        )

    def compute(self, executor: Executor) -> None:
        """Run the jobs that are to compute; what they come to is noted, not raised."""
        todo = self.to_compute
        running: dict[Future[Record], str] = {}
        try:
            for key in todo:
                future = _submit(executor, self.jobs[key], self.root / key, self.fingerprints[key])
                if future.done():
                    self._settle(key, future, len(todo))
                else:
                    running[future] = key
            for future in as_completed(running):
                self._settle(running[future], future, len(todo))
        finally:
            for future in running:
                future.cancel()

    def index(self) -> Index:
        """What the build came to, in the order of the jobs' keys."""
        return Index(
            complete=True,
            recordings=dict(sorted(self.finished.items())),
            skipped=dict(sorted(self.skipped.items())),
            failed=dict(sorted(self.failed.items())),
        )

    def _settle(self, key: str, future: Future[Record], num_jobs: int) -> None:
        error = future.exception()
        if error is None:
            self.finished[key] = self._entry(key, future.result())
            _warn_of_events(key, self.finished[key].summary)
        elif isinstance(error, NoLabelsError):
            self._skip(key, str(error))
        elif isinstance(error, BrokenExecutor):
            self._fail(
                key,
                "not computed, because a worker process was killed, most often for want of "
                "memory: run again, with fewer `executor.workers` if it happens again",
            )
        else:
            self._fail(key, f"{type(error).__name__}: {error}", error)
        self.num_settled += 1
        if self.progress is not None:
            self.progress(key, self.num_settled, num_jobs)

    def _skip(self, key: str, reason: str) -> None:
        self.skipped[key] = Skip(fingerprint=self.fingerprints[key], reason=reason)
        logger.warning("%s is skipped: %s", key, reason)

    def _fail(self, key: str, reason: str, error: BaseException | None = None) -> None:
        self.failed[key] = reason
        # Errors of ours say all there is to know; for others the place in the code is needed.
        is_known = error is None or isinstance(error, EtramError)
        logger.error("%s failed: %s", key, reason, exc_info=None if is_known else error)

    def _entry(self, key: str, record: Record) -> Entry:
        return Entry(
            file=f"{key}/{self.jobs[key].outputs[-1]}",
            fingerprint=record.fingerprint,
            summary=record.summary,
        )


def _submit(executor: Executor, job: Job, folder: Path, mark: str) -> Future[Record]:
    try:
        return executor.submit(job, folder, mark)
    except BrokenExecutor as error:
        future: Future[Record] = Future()
        future.set_exception(error)
        return future


def _stored_record(folder: Path, job: Job) -> Record | None:
    if not all((folder / name).is_file() for name in job.outputs):
        return None
    try:
        return read_record(folder / job.outputs[-1])
    except StoreError:
        # Damaged from outside; the job, which must replace the file, will say so.
        return None


def _last_index(root: Path, product: Product) -> Index:
    try:
        return read_index(root, product) or Index(complete=False)
    except StoreError:
        # It is written anew at the end.
        return Index(complete=False)


def _warn_of_events(key: str, summary: Summary) -> None:
    if summary.num_dropped or summary.num_late:
        logger.warning(
            "%s: of %d events, %d lie outside the sensor and were left out, and %d are timed "
            "before an earlier one and count at the time of that one",
            key,
            summary.num_events,
            summary.num_dropped,
            summary.num_late,
        )


def _raise_failures(index: Index) -> None:
    if index.failed:
        shown = [f"  {key}: {reason}" for key, reason in index.failed.items()]
        num_hidden = len(shown) - _MOST_FAILURES_SHOWN
        if num_hidden > 0:
            shown[_MOST_FAILURES_SHOWN:] = [f"  and {num_hidden} more, see the log"]
        num_all = len(index.failed) + len(index.recordings) + len(index.skipped)
        raise StoreError(
            f"{len(index.failed)} of {num_all} recordings failed; the others are kept, and the "
            "next run tries again:\n" + "\n".join(shown)
        )
    if index.skipped and not index.recordings:
        key, skip = next(iter(index.skipped.items()))
        raise NoLabelsError(f"nothing to store of any recording; {key}, for one: {skip.reason}")
