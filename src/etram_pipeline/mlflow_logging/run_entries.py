"""Entries of an MLflow run as plain data, which can be stored and sent later."""

import logging
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import BusyError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.locks import Access, held
from etram_pipeline.core.masking import mask_text

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

SECONDS = "seconds_by_node"
"""Folder of a run with the time of each node, one file per session."""

SESSION = "kedro.run_id"
"""Tag of a run with the session that writes to it; a session that continues the run replaces it."""

NUM_PARAMETERS = "train/num_parameters"
"""Metric of a training: the size of its detector."""

_METRICS_PER_CALL = 1000
_PAIRS_PER_CALL = 100
_SHORT = 200
_UNSENT_FILES, _REFUSED = "*/*.json", ".refused"
_CAUSE = re.compile(r"(?<=Errno )-?\d+\] [\w ,]+|timed out")
_REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "INVALID_STATE"}


class RunEntry(Settings):
    """Data to add to a run; empty fields add nothing.

    Attributes:
        metrics: Name, value, time in milliseconds and step of each.
        params: Name and value of each.
        tags: Name and value of each.
        text: Content of an artifact.
        path: File or folder to copy as an artifact.
        place: Where an artifact goes: the file for a text, the folder for a file or a folder.
        dataset: Name, digest, source and context of data that was read.
        status: How the run ended; `SCHEDULED` if it waits to continue.
        time_ms: When it ended, in milliseconds.
    """

    metrics: tuple[tuple[str, float, int, int], ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    path: str = ""
    place: str = ""
    dataset: tuple[str, str, str, str] | None = None
    status: str = ""
    time_ms: int = 0


class Unsent(Settings):
    """Entries of a run that could not be sent to its store.

    Attributes:
        uri: Address of the store, without passwords.
        run_id: The run.
        session: Value of the run's tag `SESSION` when they were made; empty: unknown.
        entries: In the order in which they were made.
    """

    uri: str
    run_id: str
    session: str = ""
    entries: tuple[RunEntry, ...]


def metrics_entry(values: Mapping[str, float | int], step: int = 0) -> RunEntry:
    """Metrics with the current time, without those that are not finite."""
    now = now_ms()
    return RunEntry(
        metrics=tuple(
            (name, float(value), now, step)
            for name, value in values.items()
            if isfinite(float(value))
        )
    )


def now_ms() -> int:
    """Time in milliseconds, as MLflow counts it."""
    return int(time.time() * 1000)


def short(error: BaseException) -> str:
    """An error's message in one short line, without secrets."""
    text = mask_text(str(error)).strip()
    if "HTTP" in text and (found := _CAUSE.search(text)):  # the rest is of the library
        return found[0].partition("] ")[2] or found[0]
    line = next(iter(text.splitlines()), "") or type(error).__name__
    return line if len(line) <= _SHORT else f"{line[:_SHORT]} …"


def send(client: "MlflowClient", run_id: str, entry: RunEntry, session: str = "") -> None:
    """Add an entry to a run, in calls of the size that MLflow allows.

    A status is not sent if another session than `session` has continued the run since.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    for metrics in _chunks(entry.metrics, _METRICS_PER_CALL):
        client.log_batch(run_id, metrics=[Metric(*metric) for metric in metrics])
    for params in _chunks(entry.params, _PAIRS_PER_CALL):
        client.log_batch(run_id, params=[Param(*pair) for pair in params])
    for tags in _chunks(entry.tags, _PAIRS_PER_CALL):
        client.log_batch(run_id, tags=[RunTag(*pair) for pair in tags])
    if entry.text is not None:
        client.log_text(run_id, entry.text, entry.place)
    if entry.path:
        client.log_artifact(run_id, entry.path, entry.place or None)
    if entry.dataset:
        name, digest, source, context = entry.dataset
        data = Dataset(name=name, digest=digest, source_type="local", source=source)
        tag = InputTag("mlflow.data.context", context)
        client.log_inputs(run_id, [DatasetInput(data, [tag])])
    if entry.status and not _is_continued(client, run_id, session):
        _end(client, run_id, entry)


def _end(client: "MlflowClient", run_id: str, entry: RunEntry) -> None:
    if entry.status == "SCHEDULED":
        client.update_run(run_id, status=entry.status)
    else:
        client.set_terminated(run_id, entry.status, entry.time_ms)


def _is_continued(client: "MlflowClient", run_id: str, session: str) -> bool:
    """Whether another session has continued a run since."""
    tags = client.get_run(run_id).data.tags if session else {}
    return tags.get(SESSION, session) != session


def send_unsent(client: "MlflowClient", uri: str, unsent: Path) -> None:
    """Send entries that earlier runs could not send to the store at `uri`.

    Entries that cannot be sent now are kept; files that the store refuses for good are renamed. Of
    two runs that begin at once, one sends the entries. If another session has continued a run
    since, only metrics are sent: the rest would replace newer values.
    """
    if not any(unsent.glob(_UNSENT_FILES)):
        return
    try:
        with held(Access(unsent, inside=True), "it sends what is there"):
            for path in sorted(unsent.glob(_UNSENT_FILES)):
                if not _send_file(client, uri, path):
                    break
    except BusyError:
        logger.debug("another run sends what is in %s", unsent)
    except OSError as error:
        logger.warning("the entries in %s cannot be sent to MLflow: %s", unsent, error)


def _send_file(client: "MlflowClient", uri: str, path: Path) -> bool:
    """Send what one file holds; false if the store does not answer."""
    try:
        content = Unsent.model_validate_json(path.read_text())
        if content.uri != mask_text(uri):
            return True
        refused = _send_entries(client, content)
    except Exception as error:  # noqa: BLE001  # no store may end a run
        for_good = is_refusal(error) or isinstance(error, ValidationError)
        kept = path.rename(path.with_suffix(_REFUSED)) if for_good else path
        logger.warning("MLflow does not accept %s: %s", kept, short(error))
        return for_good
    if refused:
        left = path.with_suffix(_REFUSED)
        with written_whole(left) as partial:
            rest = content.model_copy(update={"entries": tuple(entry for entry, _ in refused)})
            partial.write_text(rest.model_dump_json(indent=1))
        path.unlink()
        logger.warning("MLflow does not accept %s: %s", left, short(refused[0][1]))
        return True
    forget(path)
    logger.info("sent the unsent entries of run %s to MLflow", content.run_id)
    return True


def _send_entries(client: "MlflowClient", content: Unsent) -> list[tuple[RunEntry, Exception]]:
    """Send entries; returns those that the store refuses for good, with its reasons."""
    refused: list[tuple[RunEntry, Exception]] = []
    is_continued = _is_continued(client, content.run_id, content.session)
    for entry in content.entries:
        try:
            send(client, content.run_id, _addition(entry) if is_continued else entry)
        except Exception as error:
            if not is_refusal(error):
                raise
            refused.append((entry, error))
    return refused


def _addition(entry: RunEntry) -> RunEntry:
    """What an entry can add to a run without replacing anything."""
    return RunEntry(metrics=entry.metrics)


def forget(path: Path) -> None:
    """Remove a file of unsent entries, with its copies and the folders that are empty then."""
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    path.unlink()
    with suppress(OSError):  # other runs may have entries there
        path.parent.rmdir()
        path.parent.parent.rmdir()


def is_refusal(error: Exception) -> bool:
    """Whether sending the same again would be refused again."""
    return getattr(error, "error_code", "") in _REFUSALS or isinstance(error, FileNotFoundError)


def join_metrics(entries: Sequence[RunEntry]) -> tuple[RunEntry, int]:
    """The first entry, with the metrics of those after it that hold nothing else."""
    first = entries[0]
    if not first.metrics:
        return first, 1
    num_merged, metrics = 0, list[tuple[str, float, int, int]]()
    for entry in entries:
        is_mixed = entry != RunEntry(metrics=entry.metrics)
        if is_mixed or len(metrics) + len(entry.metrics) > _METRICS_PER_CALL:
            break
        metrics += entry.metrics
        num_merged += 1
    return (RunEntry(metrics=tuple(metrics)), num_merged) if num_merged else (first, 1)


def with_copy(entry: RunEntry, folder: Path) -> RunEntry:
    """An entry whose file or folder is kept in `folder`: later runs write over the original."""
    if not entry.path or not Path(entry.path).exists():
        return entry
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / Path(entry.path).name
    if Path(entry.path).is_dir():
        shutil.copytree(entry.path, copy, dirs_exist_ok=True)
    else:
        shutil.copy(entry.path, copy)
    return entry.model_copy(update={"path": str(copy)})


def _chunks(values: tuple[Any, ...], size: int) -> Iterable[tuple[Any, ...]]:
    return (values[first : first + size] for first in range(0, len(values), size))
