"""What is to be computed of one recording, and what comes of the attempt."""

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
from etram_pipeline.stores.index import Provenance
from etram_pipeline.stores.record import Record


@dataclass(frozen=True)
class BuildJob(ABC):
    """Computes and stores what is wanted of one recording; it can be sent to another process.

    Attributes:
        check_content: Whether inputs are known by their content rather than by their time of
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

    def origin(self, made: Provenance | None = None) -> Provenance:
        """All that decides the result, as it is now.

        Args:
            made: What the stored result was made of. Inputs that have nothing but another date
                since then are hashed, to see whether they changed.

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
        """What the result was made of, known by content where the job reads its inputs whole."""
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
    """The same jobs, which know their inputs by content if `check`."""
    return {key: replace(job, check_content=check) for key, job in jobs.items()}


@dataclass(frozen=True)
class Outcome:
    """What came of a job. Errors are told as text, for not every error survives being sent.

    Attributes:
        record: Of what was stored; None if nothing was.
        sizes: Bytes of each stored file, by name relative to the recording's folder.
        origin: What it was made of, if more is known of it than before.
        skipped: Why there is nothing to store; empty if that is not so.
        failure: Why it could not be computed; empty if it could.
        traceback: Where it failed, if the message alone does not say what to do.
        is_full: Whether it failed because a disk is full, as others would.
    """

    record: Record | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    origin: Provenance | None = None
    skipped: str = ""
    failure: str = ""
    traceback: str = ""
    is_full: bool = False


@dataclass(frozen=True)
class Task:
    """A job as it is sent to an executor.

    Attributes:
        job: What to compute.
        key: Recording, as `<split>/<name>`.
        claim: The store to write to.
        origin: What the job was about to read when it was sent.
    """

    job: BuildJob
    key: str
    claim: Claim
    origin: Provenance

    def __call__(self) -> Outcome:
        """Run the job; whatever goes wrong is an outcome."""
        try:
            with self.claim.at_work():
                return self._run()
        except NoLabelsError as error:
            return Outcome(skipped=str(error))
        except Exception as error:  # noqa: BLE001  # one bad recording must not stop the others
            if is_out_of_space(error):
                return Outcome(failure=out_of_space(self.claim.root), is_full=True)
            is_known = isinstance(error, EtramError | PermissionError)
            return Outcome(
                failure=f"{type(error).__name__}: {error}",
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
