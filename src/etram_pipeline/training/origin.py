"""The weights that a training run started from, which its own result may replace.

`train.start_from` is often the file that the run saves its detector to. Without a copy of what the
file held, the same command would start a new run from the result of the first one.
"""

import json
import logging
import shutil
from pathlib import Path

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import file_digest
from etram_pipeline.training.checkpoints import DETECTOR

logger = logging.getLogger(__name__)

_COPY = "start.ckpt"
_RECORD = "start.json"


def original_weights(start_from: Path, trainings: Path) -> Path:
    """The file to start from: `start_from`, or a copy of what it held before.

    If `start_from` now holds the result of a run that itself started from this path, the weights
    that this run started from are used again. Weights from anywhere else are used as they are.

    Args:
        start_from: What the user names.
        trainings: Folder of all training runs.
    """
    digest = file_digest(start_from)
    for folder in _latest_first(trainings):
        is_of_path = json.loads((folder / _RECORD).read_text()) == {"start_from": str(start_from)}
        if is_of_path and (folder / _COPY).is_file() and file_digest(folder / DETECTOR) == digest:
            logger.info(
                "%s holds the result of %s, which started from this file: its former weights are "
                "used, %s",
                start_from,
                folder.name,
                folder / _COPY,
            )
            return folder / _COPY
    return start_from


def _latest_first(trainings: Path) -> list[Path]:
    """Folders of runs that kept weights and have a result, the last result first.

    Runs with equal results are rare, but then the last one is the one that saved the file.
    """
    folders = [record.parent for record in trainings.glob(f"*/{_RECORD}")]
    finished = [folder for folder in folders if (folder / DETECTOR).is_file()]
    return sorted(finished, key=lambda folder: (folder / DETECTOR).stat().st_mtime_ns, reverse=True)


def keep_weights(start_from: Path, weights: Path, work_dir: Path) -> None:
    """Keep the weights that a run starts from in its folder, with the path that the user named."""
    if (work_dir / _RECORD).is_file():
        return
    work_dir.mkdir(parents=True, exist_ok=True)
    with written_whole(work_dir / _COPY) as partial:
        shutil.copyfile(weights, partial)  # a link would change with the file, if copied over
    with written_whole(work_dir / _RECORD) as partial:
        partial.write_text(json.dumps({"start_from": str(start_from)}))
