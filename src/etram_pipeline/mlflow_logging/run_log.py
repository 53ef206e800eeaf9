"""Logging to an MLflow run; a store that fails never stops the run.

Entries that cannot be sent are kept, and sent when the store answers again, at the latest at the
end of the run. What is still unsent is then written to a folder, and the next run that is logged in
MLflow sends it.
"""

import atexit
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.masking import mask_text
from etram_pipeline.mlflow_logging.run_entries import (
    RunEntry,
    Unsent,
    forget,
    is_refusal,
    join_metrics,
    now_ms,
    send,
    short,
    with_copy,
)

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

UNSENT = "mlflow_unsent"
"""Folder of unsent entries by run, in the working directory."""

RUN_ID, TRACKING_URI = "MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"
_UNSENT_VARIABLE = "ETRAM_MLFLOW_UNSENT"
_OPEN_RUN = "ETRAM_MLFLOW_OPEN_RUN"
"""Variable with the run that a `kedro run` has open, for the processes that it starts."""

_VARIABLES = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_RETRY_S = 60.0
_PAUSE_S = 0.2  # collects the points of fast steps, so that each call to the store sends many


class RunLog:
    """Adds to one run of an MLflow store; no method raises what the store raises."""

    def __init__(self, run_id: str, uri: str, unsent: Path, session: str = "") -> None:
        """Log to run `run_id` at `uri`, and write unsent entries into the folder `unsent`.

        Args:
            run_id: The run.
            uri: Address of its store.
            unsent: Folder of unsent entries.
            session: Value of the run's tag `SESSION`; once another session continues the run, this
                one no longer changes its status.
        """
        self.run_id = run_id
        self.uri = uri
        self.session = session
        self._client: MlflowClient | None = None
        self._folder = unsent
        self._pending: deque[RunEntry] = deque()
        self._refused: list[RunEntry] = []
        self._sending = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._retry_at = 0.0
        self._is_failing = False
        self._has_warned = False
        self._is_closed = False

    def write(self, entry: RunEntry) -> None:
        """Add an entry now; while the store does not answer, in the background."""
        if self._is_failing:
            self.write_later(entry)
        else:
            self._pending.append(entry)
            self._send_all()

    def write_later(self, entry: RunEntry) -> None:
        """Add an entry soon, without waiting for the store."""
        self._pending.append(entry)
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_in_background, daemon=True)
            self._thread.start()
        self._news.set()

    def close(self, status: str = "") -> None:
        """Send what is left and end the run with `status`; write what cannot be sent to the folder.

        Later calls do nothing.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._news.set()
        if status:
            self._pending.append(RunEntry(status=status, time_ms=now_ms()))
        # While this waits for a store that does not answer, a cluster may kill the process.
        kept = self._keep() if self._is_failing else None
        self._retry_at = 0.0
        self._send_all()
        if not (self._refused or self._pending):
            if kept is not None:
                forget(kept)
        elif kept or self._keep():
            logger.warning(
                "MLflow at %s did not accept all entries: those missing in run %s are in %s, and "
                "the next run that is logged in MLflow sends them",
                mask_text(self.uri),
                self.run_id,
                self._folder / self.run_id,
            )

    def _send_in_background(self) -> None:
        while not self._is_closed:
            self._news.wait()
            self._news.clear()
            time.sleep(_PAUSE_S)
            self._send_all()

    def flush(self) -> None:
        """Send what is left, unless the store does not answer."""
        if not self._is_failing:
            self._send_all()

    def _send_all(self) -> None:
        """Send what is left, unless the store did not answer a moment ago."""
        with self._sending:
            if time.monotonic() < self._retry_at:
                return
            while self._pending:
                entry, num_merged = join_metrics(list(self._pending))
                try:
                    self._send(entry)
                except Exception as error:  # noqa: BLE001  # no store may end a training
                    self._warn(error)
                    if not is_refusal(error):
                        self._retry_at = time.monotonic() + _RETRY_S
                        return
                    self._is_failing = False
                    self._refused.append(entry)
                for _ in range(num_merged):
                    self._pending.popleft()

    def _send(self, entry: RunEntry) -> None:
        try:
            if self._client is None:  # connecting may fail like any other call
                self._client = open_client(self.uri)
            send(self._client, self.run_id, entry, self.session)
        except BaseException:  # also if a signal interrupts it
            self._is_failing = True
            raise
        self._is_failing = False

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "MLflow at %s does not accept the entries of this run (%s); the run continues and "
                "tries again later",
                mask_text(self.uri),
                short(error),
            )

    def _keep(self) -> Path | None:
        """Write what is left to the folder; None if that fails."""
        folder = self._folder / self.run_id
        path = folder / f"{secrets.token_hex(4)}.json"
        entries = [*self._refused, *self._pending]
        try:
            copied = tuple(with_copy(entry, path.with_suffix("")) for entry in entries)
            content = Unsent(
                uri=mask_text(self.uri), run_id=self.run_id, session=self.session, entries=copied
            )
            with written_whole(path) as partial:
                partial.write_text(content.model_dump_json(indent=1))
        except OSError as error:
            logger.warning("unsent MLflow entries cannot be stored: %s", error)
            return None
        return path


_current: RunLog | None = None


def use_log(log: RunLog | None, unsent: Path) -> Callable[[], None]:
    """Make `log` the log of this process and of the processes that it starts; None: they have none.

    Returns:
        Function that restores what was before.
    """
    global _current  # noqa: PLW0603  # one run per process, as with MLflow's active run
    names = (RUN_ID, TRACKING_URI, _UNSENT_VARIABLE, _OPEN_RUN)
    before, previous = {name: os.environ.get(name) for name in names}, _current
    _current = log
    if log is None:
        os.environ.pop(RUN_ID, None)
    else:
        os.environ |= {
            RUN_ID: log.run_id,
            TRACKING_URI: log.uri,
            _UNSENT_VARIABLE: str(unsent),
            _OPEN_RUN: log.run_id,
        }

    def restore() -> None:
        global _current  # noqa: PLW0603  # as above
        _current = previous
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    return restore


def is_inherited() -> bool:
    """Whether a `kedro run` that is still open has set `MLFLOW_RUN_ID`."""
    return RUN_ID in os.environ and os.environ[RUN_ID] == os.environ.get(_OPEN_RUN)


def current_log() -> RunLog | None:
    """The log of the run that `MLFLOW_RUN_ID` names; None without a run."""
    global _current  # noqa: PLW0603  # one run per process, as with MLflow's active run
    run_id = os.environ.get(RUN_ID)
    if not run_id:
        return None
    if _current is None or _current.run_id != run_id:
        unsent = Path(os.environ.get(_UNSENT_VARIABLE, UNSENT))
        _current = RunLog(run_id, os.environ.get(TRACKING_URI, ""), unsent)
        atexit.register(_current.close)
    return _current


def open_client(uri: str) -> "MlflowClient":
    """A client that gives up after seconds, not minutes, and logs errors only.

    Settings that are in the environment already stay.
    """
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # It logs tracebacks of a hundred lines about errors that it raises as well.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    return MlflowClient(uri or None)
