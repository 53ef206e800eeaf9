"""The weights that a training run started from or was taught by, which its own result may replace.

`train.start_from` is often the file that the run saves its detector to; so is the teacher of a
distillation. Without a copy of what the file held, the same command would start a new run from the
result of the first one.
"""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import file_digest
from etram_pipeline.training.checkpoints import DETECTOR

logger = logging.getLogger(__name__)

Role = Literal["start_from", "teacher"]
"""What the weights of a file are to a run."""

_KEPT_AS: dict[Role, tuple[str, str]] = {
    "start_from": ("start.ckpt", "start.json"),
    "teacher": ("teacher.ckpt", "teacher.json"),
}
"""Names of the copy, and of the file with the path that the user named."""
_DID: dict[Role, str] = {"start_from": "started from", "teacher": "was taught by"}


@dataclass(frozen=True)
class Weights:
    """The weights of a file that a run uses.

    Attributes:
        role: What they are to the run.
        named: The file that the user names, if any.
        path: The file to read: the named one, or a copy of what it held before.
    """

    role: Role
    named: Path | None
    path: Path | None

    @classmethod
    def of(cls, named: Path | None, trainings: Path, role: Role) -> "Weights":
        """The weights of a file that the user names.

        If it now holds the result of a run that itself used this path in the same role, the weights
        that this run used are used again. Weights from anywhere else are used as they are.

        Args:
            named: What the user names.
            trainings: Folder of all training runs.
            role: What the weights are to the run.
        """
        return cls(role, named, named and _original(named, trainings, role))

    @property
    def digest(self) -> str:
        """Hash of the content; empty without a file."""
        return file_digest(self.path) if self.path else ""

    def keep(self, work_dir: Path) -> None:
        """Keep a copy in the folder of the run, with the path that the user named."""
        copy, record = _KEPT_AS[self.role]
        if self.path is None or (work_dir / record).is_file():
            return
        work_dir.mkdir(parents=True, exist_ok=True)
        with written_whole(work_dir / copy) as partial:
            shutil.copyfile(self.path, partial)  # a link would change with the file, if copied over
        with written_whole(work_dir / record) as partial:
            partial.write_text(json.dumps({self.role: str(self.named)}))


def _original(named: Path, trainings: Path, role: Role) -> Path:
    digest = file_digest(named)
    copy, record = _KEPT_AS[role]
    for folder in _latest_first(trainings, record):
        is_of_path = json.loads((folder / record).read_text()) == {role: str(named)}
        if is_of_path and (folder / copy).is_file() and file_digest(folder / DETECTOR) == digest:
            logger.info(
                "%s holds the result of %s, which %s this file: its former weights are used, %s",
                named,
                folder.name,
                _DID[role],
                folder / copy,
            )
            return folder / copy
    return named


def _latest_first(trainings: Path, record: str) -> list[Path]:
    """Folders of runs that kept weights and have a result, the last result first.

    Runs with equal results are rare, but then the last one is the one that saved the file.
    """
    folders = [found.parent for found in trainings.glob(f"*/{record}")]
    finished = [folder for folder in folders if (folder / DETECTOR).is_file()]
    return sorted(finished, key=lambda folder: (folder / DETECTOR).stat().st_mtime_ns, reverse=True)
