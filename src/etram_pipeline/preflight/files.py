"""Checks that the inputs of a run exist and that its outputs can be written."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from kedro.framework.project import pipelines

from etram_pipeline.core.counts import counted
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.locks import Access, held
from etram_pipeline.core.recording import LARGEST_SIZE
from etram_pipeline.datasets.files import ReadsAnother, SingleFileDataset, is_of_file, path_of
from etram_pipeline.datasets.folders import FolderDataset
from etram_pipeline.datasets.history import HistoryDataset
from etram_pipeline.datasets.scene import SceneLabelsDataset, SceneRecordingsDataset
from etram_pipeline.events.recording import open_recording
from etram_pipeline.preflight.run import UNREADABLE, Notice, Run, some
from etram_pipeline.run_locks import REMEDY, read_path
from etram_pipeline.session import explain

_MADE_WHEN_LOADED = (SceneRecordingsDataset, SceneLabelsDataset, FolderDataset, HistoryDataset)
_OURS = "etram_pipeline.datasets"

_MOST_SECONDS = 1.0
"""Time for opening recordings, which is slow on a network disk."""

_MOST_SHOWN = 3

_WITHOUT_PREPROCESSING = "`--pipelines train,predict,evaluate` or `predict,evaluate`"
_REPLACEABLE = {
    "checkpoint": (
        "checkpoint",
        "a new checkpoint",
        "another one",
        "`--pipelines predict,evaluate,report` or `apply`",
    ),
    "detections": ("detections", "new detections", "other ones", "`--pipelines evaluate,report`"),
    "labelled_frames": (
        "preprocessed",
        "new labelled frames",
        "other ones",
        _WITHOUT_PREPROCESSING,
    ),
    "histograms": ("preprocessed", "new histograms", "other ones", _WITHOUT_PREPROCESSING),
}
"""Datasets that an option of a run replaces: the option, words and pipelines for the message."""


def check(run: Run) -> Iterator[Notice]:
    """Files that are missing, unreadable, or cannot be written."""
    yield from _missing(run)
    yield from _contradicted(run)
    yield from _raw_files(run)
    yield from _unwritable(run)


def _missing(run: Run) -> Iterator[Notice]:
    for name in sorted(run.needs):
        dataset = run.dataset(name)
        if isinstance(dataset, _MADE_WHEN_LOADED) or _is_reported_for_recordings(run, name):
            continue
        # What makes a single file is known from the pipelines alone.
        is_known = not isinstance(dataset, SingleFileDataset) or dataset.exists()
        if is_known and type(dataset).__module__.startswith(_OURS):
            try:
                run.load(name)
            except UNREADABLE as error:
                _refuse_unfinished(dataset)
                yield Notice(explain(error))
        elif not dataset.exists():
            makers = [key for key, part in pipelines.items() if name in part.all_outputs()]
            remedy = f": run `kedro run --pipelines {makers[0]}`" if makers else ""
            _refuse_unfinished(dataset)
            yield Notice(f"{path_of(dataset) or name} does not exist{remedy}")


def _refuse_unfinished(dataset: object) -> None:
    """Distinguish a dataset that another run is still writing from one that is missing.

    Raises:
        BusyError: If another run is writing it; names that run.
    """
    path = read_path(dataset)
    if path is not None:
        with held(Access(path.resolve(), shared=True), REMEDY):
            pass


def _is_reported_for_recordings(run: Run, name: str) -> bool:
    """Whether label files lie in the folder of the recordings, which does not exist."""
    if name != "label_files" or "recordings" not in run.needs:
        return False
    path = path_of(run.dataset(name))
    return path is not None and not path.exists() and path == path_of(run.dataset("recordings"))


def _contradicted(run: Run) -> Iterator[Notice]:
    for name in sorted(run.makes):
        dataset = run.dataset(name)
        if isinstance(dataset, ReadsAnother) and dataset.reads_another:
            option, new, others, names = _REPLACEABLE[name]
            yield Notice(
                f"this run would make {new}, but the catalog or `--params {option}=…` says to use "
                f"{others}: name the pipelines to run, such as {names}, or drop the parameter"
            )
    for name, (option, *_) in _REPLACEABLE.items():
        dataset = run.dataset(name)
        if option in run.given and not (
            isinstance(dataset, ReadsAnother) and dataset.reads_another
        ):
            yield Notice(
                f"`{name}` of the catalog does not read what `--params {option}=…` names: add "
                "`read_from`, as in conf/base/catalog.yml, or drop the parameter"
            )


def _raw_files(run: Run) -> Iterator[Notice]:
    """Files that the system does not let read, or that hold nothing."""
    if "histograms" not in run.makes:
        return  # looking at what is wrong with recordings is what the quality report is for
    dataset = run.parameter("dataset", DatasetSettings.model_validate)
    if max(dataset.height, dataset.width) > LARGEST_SIZE:
        yield Notice(
            f"dataset.height and dataset.width are {dataset.height} and {dataset.width}, but a "
            f"sensor has at most {LARGEST_SIZE} rows and columns: give those of the camera"
        )
        return
    if not isinstance(run.dataset("recordings"), _MADE_WHEN_LOADED):
        files = run.recordings or {}
        yield from _bad_files("recordings", files)
        yield from _bad_recordings(files, (dataset.height, dataset.width))
    if not isinstance(run.dataset("label_files"), _MADE_WHEN_LOADED):
        yield from _bad_files("label files", run.label_files or {})


def _bad_recordings(files: Mapping[str, Path], size: tuple[int, int]) -> Iterator[Notice]:
    """Recordings whose header cannot be read; stops after `_MOST_SECONDS`."""
    begun, errors = time.monotonic(), []
    for path in files.values():
        if time.monotonic() - begun > _MOST_SECONDS:
            break
        if path.stat().st_size:
            try:
                open_recording(path, size=size)
            except RecordingError as error:
                errors.append(str(error))
    yield from map(Notice, errors[:_MOST_SHOWN])
    if more := len(errors[_MOST_SHOWN:]):
        yield Notice(f"{counted(more, 'more recording')} cannot be opened")


def _bad_files(what: str, files: Mapping[str, Path]) -> Iterator[Notice]:
    empty = [str(path) for path in files.values() if path.stat().st_size == 0]
    closed = [str(path) for path in files.values() if not os.access(path, os.R_OK)]
    if empty:
        yield Notice(
            f"{len(empty)} of {len(files)} {what} are empty files: {some(empty)}; fetch them "
            "again, or move them elsewhere"
        )
    if closed:
        yield Notice(
            f"{len(closed)} of {len(files)} {what} cannot be read: {some(closed)}; make them "
            "readable, or move them elsewhere"
        )


def _unwritable(run: Run) -> Iterator[Notice]:
    for name in sorted(run.makes | {each for each in run.needs if _is_written(run, each)}):
        dataset = run.dataset(name)
        path = path_of(dataset)
        if path is None:
            continue
        is_file = is_of_file(dataset)
        if is_file and path.is_dir():
            yield Notice(
                f"{path} is a folder, but {name} is a file: move the folder, or choose another "
                "path in the catalog"
            )
            continue
        folder = path.parent if is_file else path
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        if not there.is_dir():
            yield Notice(
                f"{there} is a file, but a folder is needed there: move the file, or choose "
                "another folder in the catalog"
            )
        elif not os.access(there, os.W_OK | os.X_OK):
            yield Notice(
                f"{there} cannot be written to: make it writable, choose another folder in the "
                "catalog, or, if it is complete, run only the pipelines that read it"
            )


def _is_written(run: Run, name: str) -> bool:
    """Whether a dataset that the run reads is made when it is loaded, in a folder yet to come."""
    dataset = run.dataset(name)
    if isinstance(dataset, FolderDataset):
        return True
    path = path_of(dataset)
    return isinstance(dataset, _MADE_WHEN_LOADED) and path is not None and not path.exists()
