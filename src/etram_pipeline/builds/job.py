"""Jobs: what to compute for one recording, and the result."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from etram_pipeline.builds.exclusive import Claim
from etram_pipeline.core.errors import EtramError, NoLabelsError, RecordingError
from etram_pipeline.core.files import is_out_of_space, out_of_space
from etram_pipeline.core.fingerprint import FileIdentity, file_identity, fingerprint, plain
from etram_pipeline.stores.index import Failure, Provenance
from etram_pipeline.stores.record import Record


@dataclass(frozen=True)
class BuildJob(ABC):
    """Computes and stores a product of one recording; it can be pickled.

    Attributes:
        check_content: Whether inputs are identified by their content instead of by their time of
            change.
        recipe: What is done, and in which version: another number when the same inputs and
            settings give other results. It is stored, so it stays when the class is renamed.
        reads_whole: Whether it reads its inputs from beginning to end. They are then hashed, which
            costs little while they are at hand, so that another date alone does not count later.
    """

    check_content: bool = field(default=False, kw_only=True)

    recipe: ClassVar[str]
    reads_whole: ClassVar[bool] = False

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Files that it writes, relative to the recording's folder; the last holds the record."""

    @abstractmethod
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        """Compute and store.

        Args:
            folder: Folder of the recording.
            fingerprint: Fingerprint for the record.

        Returns:
            The record that was stored.

        Raises:
            NoLabelsError: If there is nothing to store of this recording; gives the reason.
            EtramError: If an input is damaged; files stored before stay as they are.
        """

    @property
    @abstractmethod
    def inputs(self) -> tuple[Path, ...]:
        """Files that it reads."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Everything else that determines the result, as plain data."""

    def origin(self, made: Provenance | None = None) -> Provenance:
        """Everything that determines the result, as it is now.

        Args:
            made: Inputs and settings of the stored result. An input of which only the date changed
                since then is hashed, to find out whether its content changed.

        Raises:
            OSError: If an input cannot be read.
        """
        inputs = [file_identity(path, content=self.check_content) for path in self.inputs]
        if made is not None and len(made.inputs) == len(inputs):
            for at, (path, before) in enumerate(zip(self.inputs, made.inputs, strict=True)):
                if _is_touched(before, inputs[at]):
                    inputs[at] = file_identity(path, content=True)
        return Provenance(
            recipe=self.recipe,
            parameters=plain(self.parameters),
            inputs=tuple(inputs),
        )

    def hashed(self, origin: Provenance) -> Provenance:
        """`origin`, with hashes of the inputs if the job reads them whole."""
        if not self.reads_whole:
            return origin
        inputs = tuple(file_identity(path, content=True) for path in self.inputs)
        return origin.model_copy(update={"inputs": inputs})

    def __fingerprint__(self) -> object:
        return self.origin()


def _is_touched(before: FileIdentity, now: FileIdentity) -> bool:
    same = (before.name, before.size) == (now.name, now.size)
    return same and before.mtime_ns != now.mtime_ns and bool(before.digest) and not now.digest


def check_contents(jobs: Mapping[str, BuildJob], *, check: bool) -> dict[str, BuildJob]:
    """The same jobs; with `check`, they identify their inputs by content."""
    return {key: replace(job, check_content=check) for key, job in jobs.items()}


@dataclass(frozen=True)
class Outcome:
    """The result of a job. Errors are kept as text, because not every error can be pickled.

    Attributes:
        record: Record of the stored files; None if nothing was stored.
        sizes: Bytes of each stored file, by name relative to the recording's folder.
        origin: Inputs and settings, with hashes that the job added; None if nothing was stored.
        skipped: Why there is nothing to store; empty otherwise.
        failure: Why it could not be computed; None otherwise.
        traceback: Where it failed, if the message alone does not say what to do.
        is_full: Whether it failed because the disk is full, so that other jobs would fail, too.
    """

    record: Record | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    origin: Provenance | None = None
    skipped: str = ""
    failure: Failure | None = None
    traceback: str = ""
    is_full: bool = False


@dataclass(frozen=True)
class Task:
    """A job as it is sent to an executor.

    Attributes:
        job: What to compute.
        key: Key of the recording.
        claim: The right to write to the store.
        origin: Inputs and settings at the time when the job was sent.
    """

    job: BuildJob
    key: str
    claim: Claim
    origin: Provenance

    def __call__(self) -> Outcome:
        """Run the job; an error becomes an outcome."""
        try:
            with self.claim.at_work():
                return self._run()
        except NoLabelsError as error:
            return Outcome(skipped=str(error))
        except Exception as error:  # noqa: BLE001  # one bad recording must not stop the others
            if is_out_of_space(error):
                return Outcome(failure=Failure(out_of_space(self.claim.root)), is_full=True)
            is_known = isinstance(error, EtramError | PermissionError)
            return Outcome(
                failure=Failure(str(error), type(error).__name__),
                traceback="" if is_known else traceback.format_exc(),
            )

    def _run(self) -> Outcome:
        folder = self.claim.root / self.key
        record = self.job(folder, fingerprint(self.origin))
        origin = self.job.hashed(self.origin)
        self._check_inputs()
        sizes = {name: (folder / name).stat().st_size for name in self.job.outputs}
        return Outcome(record=record, sizes=sizes, origin=origin)

    def _check_inputs(self) -> None:
        for path, before in zip(self.job.inputs, self.origin.inputs, strict=True):
            now = file_identity(path)
            if (now.size, now.mtime_ns) != (before.size, before.mtime_ns):
                raise RecordingError(
                    f"{path} changed while it was read: run again when it is complete"
                )
