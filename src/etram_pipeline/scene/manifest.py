"""Record of the simulated recordings in a folder, stored in that folder."""

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.locks import lock
from etram_pipeline.scene.plan import PlannedRecording

_NAME = "scene.json"
_WORKERS_LOCK = ".scene.workers.lock"


def recording_files(folder: Path, key: str) -> tuple[Path, Path]:
    """Event file and label file of a recording."""
    return folder / f"{key}_td.h5", folder / f"{key}_bbox.npy"


def mask_file(folder: Path, key: str) -> Path:
    """File of the masks of a recording that has any."""
    return folder / f"{key}_masks.json"


@contextmanager
def waiting_for_others(folder: Path) -> Iterator[None]:
    """Wait until all other processes and their workers are done, then write exclusively."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".scene.lock").open("w") as file:
        # The operating system releases the lock when a process ends, for whatever reason.
        lock(file, fcntl.LOCK_EX)
        with (folder / _WORKERS_LOCK).open("w") as workers:
            lock(workers, fcntl.LOCK_EX)
        yield


@contextmanager
def writing_for_others(folder: Path) -> Iterator[None]:
    """Write for the process that holds the folder; that process may be killed before this one."""
    with (folder / _WORKERS_LOCK).open("w") as workers:
        lock(workers, fcntl.LOCK_SH)
        yield


class Manifest:
    """The simulated recordings in a folder, complete or not.

    A recording is entered without sizes before its first file is written, and again when it is
    complete. Every simulated file is therefore known, and incomplete ones do not count.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries = _read_entries(folder / _NAME)

    def missing(self, planned: Iterable[PlannedRecording]) -> list[PlannedRecording]:
        """Planned recordings that are missing, incomplete or simulated with other settings."""
        return [each for each in planned if not self._is_complete(each)]

    def is_exactly(self, planned: Iterable[PlannedRecording]) -> bool:
        """Whether all planned recordings are complete and there are no other simulated ones."""
        planned = list(planned)
        return not self.missing(planned) and self._entries.keys() == {each.key for each in planned}

    def prepare(self, planned: Iterable[PlannedRecording]) -> list[PlannedRecording]:
        """Remove recordings that are not planned and leftovers of killed runs.

        Returns:
            The recordings to simulate.

        Raises:
            RecordingError: If files of these names exist that were not simulated; nothing is
                changed in this case.
        """
        planned = list(planned)
        self._refuse_foreign_files(planned)
        missing = self.missing(planned)
        stale = self._entries.keys() - {each.key for each in planned}
        self._entries |= {each.key: {} for each in missing}
        self._write()
        for path in self._leftovers():
            path.unlink(missing_ok=True)
        for each in missing:  # labels that are written next may have no masks
            mask_file(self.folder, each.key).unlink(missing_ok=True)
        for key in stale:
            for path in _all_files(self.folder, key):
                path.unlink(missing_ok=True)
            del self._entries[key]
        self._write()
        return missing

    def add(self, planned: PlannedRecording) -> None:
        """Enter a recording as complete."""
        self._entries[planned.key] = {
            "fingerprint": planned.fingerprint,
            "seed": planned.seed,
            "bytes": self._sizes(planned),
        }
        self._write()

    def _is_complete(self, planned: PlannedRecording) -> bool:
        entry, sizes = self._entries.get(planned.key, {}), self._sizes(planned)
        same = entry.get("fingerprint") == planned.fingerprint
        return same and None not in sizes and entry.get("bytes") == sizes

    def _refuse_foreign_files(self, planned: Iterable[PlannedRecording]) -> None:
        for each in planned:
            found = [path for path in _all_files(self.folder, each.key) if path.exists()]
            if found and each.key not in self._entries:
                raise RecordingError(
                    f"{found[0]} was not made by the simulator, which would overwrite it: "
                    "choose another folder for the simulated scene"
                )

    def _leftovers(self) -> list[Path]:
        """Temporary files of killed runs."""
        files = [path for key in self._entries for path in _all_files(self.folder, key)]
        files.append(self.folder / _NAME)
        return [left for path in files for left in path.parent.glob(f".{path.name}.*.partial")]

    def _sizes(self, planned: PlannedRecording) -> list[int | None]:
        paths = list(recording_files(self.folder, planned.key))
        if planned.settings.masks:
            paths.append(mask_file(self.folder, planned.key))
        return [path.stat().st_size if path.exists() else None for path in paths]

    def _write(self) -> None:
        with written_whole(self.folder / _NAME) as partial:
            partial.write_text(json.dumps({"recordings": self._entries}, indent=1) + "\n")


def _all_files(folder: Path, key: str) -> tuple[Path, ...]:
    """Every file that a recording may have."""
    return *recording_files(folder, key), mask_file(folder, key)


def _read_entries(path: Path) -> dict[str, Mapping[str, object]]:
    if not path.exists():
        return {}
    try:
        recordings = json.loads(path.read_text())["recordings"]
        return {str(key): dict(entry) for key, entry in recordings.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(
            f"{path} does not list simulated recordings: remove it together with the recordings "
            "beside it, or choose another folder for the simulated scene"
        ) from error
