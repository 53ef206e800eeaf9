"""The state of a build: recordings up to date, to compute, skipped and failed."""

import logging
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field

from etram_pipeline.builds.exclusive import Claim
from etram_pipeline.builds.job import BuildJob, Outcome, Task
from etram_pipeline.builds.progress import Interval, ProgressCounter
from etram_pipeline.builds.running import run_tasks
from etram_pipeline.builds.staleness import examine, is_still_skipped
from etram_pipeline.core.counts import counted, counted_of, duration
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.machine import num_cores
from etram_pipeline.core.progress import report_progress
from etram_pipeline.stores.index import Failure, Index, IndexEntry, Provenance, Skip, write_index
from etram_pipeline.stores.record import Summary

logger = logging.getLogger(__name__)

_MOST_REASONS_SHOWN = 10
_MOST_RUNNING_SHOWN = 2
_SAVE_EVERY_S = 5.0

_NOT_TRIED = Failure("not tried, because the disk is full")


@dataclass
class BuildState:
    """A build in progress.

    Attributes:
        claim: The store to write to.
        jobs: Jobs by recording.
        last: The index of the last build.
    """

    claim: Claim
    jobs: Mapping[str, BuildJob]
    last: Index
    _origins: dict[str, Provenance] = field(default_factory=dict)
    _finished: dict[str, IndexEntry] = field(default_factory=dict)
    _skipped: dict[str, Skip] = field(default_factory=dict)
    _failed: dict[str, Failure] = field(default_factory=dict)
    _counter: ProgressCounter = field(default_factory=ProgressCounter)
    _since_saved: Interval = field(default_factory=lambda: Interval(_SAVE_EVERY_S))

    @property
    def to_compute(self) -> list[str]:
        """Recordings whose files are missing or out of date, the largest first.

        A large recording that came last would keep one worker busy while the others wait.
        """
        settled = self._finished | self._skipped | self._failed
        keys = [key for key in self.jobs if key not in settled]
        return sorted(keys, key=self._num_bytes, reverse=True)

    def look_up(self) -> None:
        """Find the recordings that are up to date, and log why others are not."""
        self._identify_inputs()
        reasons: dict[str, str] = {}
        for key, origin in self._origins.items():
            skip = self.last.skipped.get(key)
            if skip is not None and is_still_skipped(skip, origin):
                self._skip(key, skip.reason)
                continue
            try:
                stored = examine(
                    self.claim.root / key, self.jobs[key], origin, self.last.recordings.get(key)
                )
                for path in stored.damaged:
                    path.unlink(missing_ok=True)
            except OSError as error:
                self._fail(key, f"what is stored cannot be read: {error}")
                continue
            if stored.entry is not None:
                self._finished[key] = stored.entry
            elif stored.reason:
                reasons[key] = stored.reason
        if not self.jobs:
            logger.info("nothing to compute in %s", self.claim.root)
            return
        num_wanted, num_again = len(self.to_compute), len(reasons)
        logger.info(
            "%s up to date in %s%s%s",
            counted_of(len(self._finished), len(self.jobs), "recording"),
            self.claim.root,
            f"; {num_wanted:,} to compute" if num_wanted else "",
            f" ({num_again:,} of them again)" if num_again else "",
        )
        _log_reasons(reasons)

    def compute(self, executor: Executor) -> None:
        """Run the jobs of the recordings to compute; failures are recorded, not raised."""
        todo = self.to_compute
        self._counter = ProgressCounter(len(todo), sum(map(self._num_bytes, todo)))
        self._report_progress([])
        tasks = {key: Task(self.jobs[key], key, self.claim, self._origins[key]) for key in todo}
        with closing(run_tasks(executor, tasks, self._report_progress)) as outcomes:
            for key, outcome in outcomes:
                self._note(key, outcome)
                self._count(key)
        self._failed |= dict.fromkeys(self.to_compute, _NOT_TRIED)
        self._report_progress([])
        self._summarise()

    def index(self, *, complete: bool) -> Index:
        """The index of this build, sorted by key.

        Args:
            complete: Whether the build is over. If not, entries of the last build are kept for
                recordings that are not done.
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
            logger.info("reading %s to find changes of their content", files)
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

    def _note(self, key: str, outcome: Outcome) -> None:
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
            self._fail(key, outcome.failure, outcome.traceback)

    def _count(self, key: str) -> None:
        entry = self._finished.get(key)
        self._counter.add(self._num_bytes(key), entry.summary.num_events if entry else 0)
        if self._since_saved.has_passed():
            # Not needed, but lets a later build log why it computes a recording again.
            with suppress(OSError):
                write_index(self.claim.root, self.claim.product, self.index(complete=False))

    def _report_progress(self, running: list[str]) -> None:
        """Report the progress and the recordings that are being computed."""
        progress = self._counter.read()
        # Bytes measure the work better than recordings; jobs without inputs have none.
        done, total = progress.num_bytes_done, progress.num_bytes_all
        shown = ", ".join(running[:_MOST_RUNNING_SHOWN])
        shown += "…" if running[_MOST_RUNNING_SHOWN:] else ""
        report_progress(
            f"{progress}{f'; now {shown}' if running else ''}",
            done if total else progress.num_done,
            total or progress.num_all,
        )

    def _summarise(self) -> None:
        progress = self._counter.read()
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
        if where or len(self.jobs) > 1:  # the end of the build reports a single one
            logger.error("%s failed: %s%s", key, reason, f"\n{where}" if where else "")

    def _num_bytes(self, key: str) -> int:
        return sum(file.size for file in self._origins[key].inputs)


def _log_reasons(reasons: Mapping[str, str]) -> None:
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
