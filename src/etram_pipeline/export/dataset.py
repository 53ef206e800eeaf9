"""Export of all recordings into one dataset.

An export that was killed is resumed when it is started again. The files that describe the dataset
are written last, so an incomplete dataset has none.
"""

import logging
import shutil
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.builds.build import build
from etram_pipeline.builds.exclusive import exclusive
from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.counts import counted, counted_of
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import NoLabelsError, StoreError
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.export import layout
from etram_pipeline.export.job import ExportJob, UnreadableJob
from etram_pipeline.export.publication import Publication, is_published, withdraw
from etram_pipeline.export.settings import ExportSettings
from etram_pipeline.stores.index import Index
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import EXPORT, LABELS, RECORD_FILE, recording_folders
from etram_pipeline.stores.record import read_record
from etram_pipeline.stores.representation_store import RepresentationStore

logger = logging.getLogger(__name__)

_MOST_FAILURES_SHOWN = 10


@dataclass(frozen=True)
class Export:
    """Inputs and settings of an export.

    Attributes:
        representations: Representations of the recordings.
        labels: Labelled frames of the recordings.
        dataset: Dataset settings, with the class names.
        settings: Settings of the export.
    """

    representations: RepresentationStore
    labels: LabelStore
    dataset: DatasetSettings
    settings: ExportSettings

    def jobs(self, root: Path) -> dict[str, BuildJob]:
        """One job per recording of the chosen splits; they write to the dataset under `root`.

        Raises:
            StoreError: If there are no recordings to export, or if their labels have other classes.
        """
        of_splits = in_splits(self.representations, self.settings.splits)
        labelled = set(self.labels)  # `key in self.labels` would read every recording
        keys = [key for key in of_splits if key in labelled]
        if not keys:
            raise StoreError(
                f"no recording of {', '.join(self.settings.splits)} in {self.representations} "
                f"has labelled frames in {self.labels}: change `export.splits`, or run "
                "`preprocess` on some"
            )
        if len(of_splits) > len(keys):
            left_out = counted(len(of_splits) - len(keys), "recording")
            logger.warning("%s without labelled frames skipped", left_out)
        return {key: self._job(root, key) for key in keys}

    def _job(self, root: Path, key: str) -> BuildJob:
        label_folder = self.labels.root / key / LABELS
        _check_classes(label_folder, self.dataset)
        try:
            stored = self.representations[key]
        except StoreError as error:
            return UnreadableJob(str(error))
        num_classes = len(self.dataset.detected_classes)
        return ExportJob(root, stored, label_folder, num_classes, self.settings)

    @property
    def publication(self) -> Publication:
        """Files that describe the dataset."""
        return Publication(self.dataset, self.settings, self.representations.representation_name)


def write_dataset(root: Path, export: Export, executor: Executor) -> None:
    """Bring the dataset under `root` up to date.

    Pictures of recordings that no longer belong to the dataset are removed. Files that the export
    did not write are never changed.

    Args:
        root: Folder of the dataset.
        export: Inputs and settings of the export.
        executor: Where the jobs run.

    Raises:
        StoreError: If some recordings failed, after all others were exported; or if `root` contains
            other files.
        NoLabelsError: If no recording has a labelled frame.
    """
    root = root.absolute()  # jobs may run in another working directory
    _refuse_foreign(root)
    publication, jobs = export.publication, export.jobs(root)
    notes = root / layout.NOTES_FOLDER
    notes.mkdir(parents=True, exist_ok=True)
    with exclusive(root, EXPORT):
        _sweep(root)
        _forget_incomplete(root, jobs)
        # Jobs remove the files that describe the dataset before they change anything.
        index = build(notes, EXPORT, jobs, executor, raise_failures=False)
        mark = publication.mark(_reached(index))
        if index.recordings and not is_published(root, mark):
            withdraw(root)
            _remove_others(root, index)
            publication.publish(root, list(index.recordings), mark)
    _raise_failures(index)


def _refuse_foreign(root: Path) -> None:
    visible = sorted(path.name for path in root.glob("*") if not path.name.startswith("."))
    if visible and not (root / layout.NOTES_FOLDER).is_dir():
        raise StoreError(
            f"{root} contains {visible[0]}, but no earlier export: choose another folder for "
            "`exported_dataset` in the catalog, or empty this one"
        )


def _check_classes(folder: Path, dataset: DatasetSettings) -> None:
    record = read_record(folder / RECORD_FILE)
    if record is None or "dataset" not in record.settings:
        return  # made elsewhere: its classes are unknown
    found = DatasetSettings.model_validate(record.settings["dataset"]).detected_classes
    if found != dataset.detected_classes:
        raise StoreError(
            f"the labels in {folder} have the classes {', '.join(found)}, but the dataset has "
            f"{', '.join(dataset.detected_classes)}: run `preprocess` and `export` with the same "
            "preset"
        )


def _sweep(root: Path) -> None:
    """Remove unfinished files of an export that was killed."""
    for pattern in (".*.partial", "*/.*.partial", "*/*/.*.partial"):
        for path in root.glob(pattern):
            path.unlink(missing_ok=True)


def _forget_incomplete(root: Path, keys: Iterable[str]) -> None:
    """Make recordings with missing files stale; their record does not list the files."""
    for key in keys:
        path = layout.ledger_path(root, key)
        if not all((root / file).is_file() for file in layout.read_ledger(path).files):
            path.with_name(layout.EXPORT_RECORD_FILE).unlink(missing_ok=True)


def _reached(index: Index) -> dict[str, str]:
    """Fingerprint of each recording of a build; empty for recordings that failed."""
    done = {key: entry.fingerprint for key, entry in index.recordings.items()}
    skipped = {key: skip.fingerprint for key, skip in index.skipped.items()}
    return done | skipped | dict.fromkeys(index.failed, "")


def _remove_others(root: Path, index: Index) -> None:
    """Remove files of recordings that left the dataset; keep those of failed recordings."""
    for key, folder in recording_folders(root / layout.NOTES_FOLDER).items():
        if key not in index.recordings and key not in index.failed:
            for file in layout.read_ledger(layout.ledger_path(root, key)).files:
                (root / file).unlink(missing_ok=True)
            shutil.rmtree(folder)


def _raise_failures(index: Index) -> None:
    if index.failed:
        shown = [f"  {key}: {reason}" for key, reason in index.failed.items()]
        if len(shown) > _MOST_FAILURES_SHOWN:
            shown[_MOST_FAILURES_SHOWN:] = [f"  and {len(shown) - _MOST_FAILURES_SHOWN} more"]
        num_all = len(index.failed) + len(index.skipped) + len(index.recordings)
        raise StoreError(
            f"{counted_of(len(index.failed), num_all, 'recording')} could not be exported; all "
            "others were, and the next run tries again:\n" + "\n".join(shown)
        )
    if not index.recordings:
        raise NoLabelsError("no window of any recording ends at a labelled frame")
