"""How far a build has come: what is up to date, what is to compute, and what came of it."""

import logging
from collections.abc import Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from dataclasses import dataclass, field

from etram_pipeline.builds.exclusive import Claim
from etram_pipeline.builds.executors import worker_was_killed
from etram_pipeline.builds.job import BuildJob, Outcome, Task
from etram_pipeline.builds.progress import Interval, ProgressCounter
from etram_pipeline.builds.staleness import examine, is_still_skipped
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.machine import num_cores
from etram_pipeline.core.progress import report_progress
from etram_pipeline.core.wording import counted, duration, share
from etram_pipeline.stores.index import Failure, Index, IndexEntry, Provenance, Skip, write_index
from etram_pipeline.stores.record import Summary

logger = logging.getLogger(__name__)

_MOST_REASONS_SHOWN = 10
_MOST_AT_WORK_SHOWN = 2
_SAVE_EVERY_S = 5.0

_KILLED = (
    "not computed, because a worker process was killed, most often because memory ran out, and "
    "again when it had this recording alone: leave the recording out, or give workers more memory"
)
_NOT_TRIED = "not tried, because the disk is full"


@dataclass
class BuildState:
    """A build in progress.

    Attributes:
        claim: The store to write to.
        jobs: By `<split>/<recording>`.
        last: What the last build came to.
    """

    claim: Claim
    jobs: Mapping[str, BuildJob]
    last: Index
    _origins: dict[str, Provenance] = field(default_factory=dict)
    _finished: dict[str, IndexEntry] = field(default_factory=dict)
    _skipped: dict[str, Skip] = field(default_factory=dict)
    _failed: dict[str, Failure] = field(default_factory=dict)
    _clock: ProgressCounter = field(default_factory=ProgressCounter)
    _since_saved: Interval = field(default_factory=lambda: Interval(_SAVE_EVERY_S))
    _is_full: bool = False

    @property
    def to_compute(self) -> list[str]:
        """Keys of recordings whose files are missing or out of date, the largest first.

        Else a large one that came last would keep a single worker busy while the others wait.
        """
        settled = self._finished | self._skipped | self._failed
        keys = [key for key in self.jobs if key not in settled]
        return sorted(keys, key=self._num_bytes, reverse=True)

    def look_up(self) -> None:
        """Tell recordings that are up to date from those to compute, and say why."""
        self._identify_inputs()
        reasons: dict[str, str] = {}
        for key, origin in self._origins.items():
            skip = self.last.skipped.get(key)
            if skip is not None and is_still_skipped(skip, origin):
                self._skip(key, skip.reason)
                continue
            try:
                finding = examine(
                    self.claim.root / key, self.jobs[key], origin, self.last.recordings.get(key)
                )
                for path in finding.damaged:
                    path.unlink(missing_ok=True)
            except OSError as error:
                self._fail(key, f"what is stored cannot be read: {error}")
                continue
            if finding.entry is not None:
                self._finished[key] = finding.entry
            elif finding.reason:
                reasons[key] = finding.reason
        if not self.jobs:
            logger.info("nothing to compute in %s", self.claim.root)
            return
        num_wanted, num_again = len(self.to_compute), len(reasons)
        logger.info(
            "%s up to date in %s%s%s",
            share(len(self._finished), len(self.jobs), "recording"),
            self.claim.root,
            f"; {num_wanted:,} to compute" if num_wanted else "",
            f" ({num_again:,} of them again)" if num_again else "",
        )
        _say(reasons)

    def compute(self, executor: Executor) -> None:
        """Run the jobs that are to compute; what they come to is noted, not raised."""
        todo = self.to_compute
        self._clock = ProgressCounter(len(todo), sum(map(self._num_bytes, todo)))
        self._report_progress([])
        # Those that lost their worker go alone, for several at once may need too much memory.
        for key in self._run(executor, todo):
            for _ in self._run(executor, [key]):
                self._fail(key, _KILLED)
                self._report(key)
        self._failed |= dict.fromkeys(self.to_compute, Failure(_NOT_TRIED))
        self._report_progress([])
        self._summarise()

    def index(self, *, complete: bool) -> Index:
        """What the build came to, in the order of the keys; what was before, where it is not done.

        Args:
            complete: Whether the build is over.
        """
        before = {} if complete else self.last.recordings
        skipped_before = {} if complete else self.last.skipped
        return Index(
            complete=complete,
            recordings=dict(sorted((before | self._finished).items())),
            skipped=dict(sorted((skipped_before | self._skipped).items())),
            failed=dict(sorted(self._failed.items())),
        )

    def _identify_inputs(self) -> None:
        num_hashed = sum(len(job.inputs) for job in self.jobs.values() if job.check_content)
        if num_hashed:
            files = counted(num_hashed, "file")
            logger.info("reading %s to tell by their content what changed", files)
        with ThreadPoolExecutor(num_cores()) as threads:
            made = {key: entry.origin for key, entry in self.last.recordings.items()}
            origins = {
                key: threads.submit(job.origin, made.get(key)) for key, job in self.jobs.items()
            }
            for key, origin in origins.items():
                try:
                    self._origins[key] = origin.result()
                except OSError as error:
                    self._fail(key, f"an input cannot be read: {error}")

    def _run(self, executor: Executor, keys: list[str]) -> list[str]:
        """Compute recordings, and say which of them lost their worker."""
        running: dict[Future[Outcome], str] = {}
        killed: list[str] = []
        try:
            for key in keys:
                if not self._is_full:
                    self._report_progress([*running.values(), key])
                    running[self._submit(executor, key)] = key
                    self._settle_finished(running, killed, timeout=0.0)
            while running:
                self._settle_finished(running, killed)
        finally:
            for future in running:
                future.cancel()
        return killed

    def _submit(self, executor: Executor, key: str) -> Future[Outcome]:
        task = Task(self.jobs[key], key, self.claim, self._origins[key])
        try:
            return executor.submit(task)
        except BrokenExecutor as error:
            future: Future[Outcome] = Future()
            future.set_exception(error)
            return future

    def _settle_finished(
        self,
        running: dict[Future[Outcome], str],
        killed: list[str],
        timeout: float | None = None,
    ) -> None:
        self._report_progress([key for future, key in running.items() if future.running()])
        done, _ = wait(running, timeout, return_when=FIRST_COMPLETED)
        for future in done:
            key = running.pop(future)
            if _lost_its_worker(future):
                logger.warning("%s: its worker process was killed", key)
                killed.append(key)
            else:
                self._settle(key, future)
                self._report(key)
        if self._is_full:
            for future in list(running):
                if future.cancel():
                    del running[future]

    def _settle(self, key: str, future: Future[Outcome]) -> None:
        try:
            outcome = future.result()
        except (Exception, CancelledError) as error:  # noqa: BLE001  # of the executor, not of the job
            self._fail(key, f"not computed: {type(error).__name__}: {error}")
            return
        if outcome.record is not None:
            self._finished[key] = IndexEntry(
                file=f"{key}/{self.jobs[key].outputs[-1]}",
                fingerprint=outcome.record.fingerprint,
                summary=outcome.record.summary,
                origin=outcome.origin or self._origins[key],
                sizes=outcome.sizes,
            )
            _warn_of_events(key, outcome.record.summary)
        elif outcome.skipped:
            self._skip(key, outcome.skipped)
        elif outcome.failure is not None:
            self._is_full = self._is_full or outcome.is_full
            self._fail(key, outcome.failure, outcome.traceback)

    def _report(self, key: str) -> None:
        entry = self._finished.get(key)
        self._clock.add(self._num_bytes(key), entry.summary.num_events if entry else 0)
        if self._since_saved.has_passed():
            # Not needed, but a later build can then say why it computes what it does.
            with suppress(OSError):
                write_index(self.claim.root, self.claim.product, self.index(complete=False))

    def _report_progress(self, at_work: list[str]) -> None:
        """Tell whoever shows it, with the recordings that are being computed."""
        progress = self._clock.read()
        # Bytes are a better measure than recordings; where nothing is read, there are none.
        done, total = progress.num_bytes_done, progress.num_bytes_all
        shown = ", ".join(at_work[:_MOST_AT_WORK_SHOWN]) + ("…" if at_work[2:] else "")
        report_progress(
            f"{progress}{f'; now {shown}' if at_work else ''}",
            done if total else progress.num_done,
            total or progress.num_all,
        )

    def _summarise(self) -> None:
        progress = self._clock.read()
        logger.info(
            "%s: %s in %s%s",
            self.claim.product,
            progress,
            duration(progress.seconds),
            f"; {len(self._failed)} failed" if self._failed else "",
        )

    def _skip(self, key: str, reason: str) -> None:
        origin = self._origins[key]
        self._skipped[key] = Skip(fingerprint=fingerprint(origin), reason=reason, origin=origin)
        logger.warning("%s is skipped: %s", key, reason)

    def _fail(self, key: str, reason: Failure | str, where: str = "") -> None:
        self._failed[key] = Failure(reason) if isinstance(reason, str) else reason
        if where or len(self.jobs) > 1:  # of a single recording, the end of the build says it
            logger.error("%s failed: %s%s", key, reason, f"\n{where}" if where else "")

    def _num_bytes(self, key: str) -> int:
        return sum(file.size for file in self._origins[key].inputs)


def _lost_its_worker(future: Future[Outcome]) -> bool:
    return not future.cancelled() and worker_was_killed(future.exception())


def _say(reasons: Mapping[str, str]) -> None:
    for number, (key, reason) in enumerate(reasons.items()):
        level = logging.INFO if number < _MOST_REASONS_SHOWN else logging.DEBUG
        logger.log(level, "%s is out of date: %s", key, reason)
    if len(reasons) > _MOST_REASONS_SHOWN:
        logger.info("and %d more are out of date", len(reasons) - _MOST_REASONS_SHOWN)


def _warn_of_events(key: str, summary: Summary) -> None:
    if summary.num_dropped or summary.num_late or summary.num_early:
        logger.warning(
            "%s: of %d events, %d lie outside the sensor and were left out, as were %d before time "
            "zero, and %d are timed before an earlier one and count at the time of that one",
            key,
            summary.num_events,
            summary.num_dropped,
            summary.num_early,
            summary.num_late,
        )
