"""Export of one recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int64, Integer
from typing_extensions import override

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.errors import NoLabelsError, StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.export import layout
from etram_pipeline.export.frames import frame_names, read_frames
from etram_pipeline.export.pictures import Painter
from etram_pipeline.export.publication import withdraw
from etram_pipeline.export.settings import ExportSettings
from etram_pipeline.export.yolo import box_lines
from etram_pipeline.stores.layout import EXPORT, FRAME_WINDOWS_FILE, LABELS_FILE, TIMES_FILE
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.representation_store import StoredRepresentations

_OUTPUTS = tuple(f"{EXPORT}/{name}" for name in (layout.LEDGER_FILE, layout.EXPORT_RECORD_FILE))


@dataclass(frozen=True)
class UnreadableJob(BuildJob):
    """Job of a recording that cannot be read; it fails without stopping the other jobs.

    Attributes:
        reason: Why the recording cannot be read.
    """

    reason: str

    recipe: ClassVar[str] = "UnreadableJob 1"

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        return _OUTPUTS

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        raise StoreError(self.reason)

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        return ()

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"reason": self.reason}


@dataclass(frozen=True)
class ExportJob(BuildJob):
    """Writes the pictures of a recording and, for YOLO, one file of boxes per picture.

    Attributes:
        root: Folder of the dataset.
        stored: Representations of the recording.
        label_folder: Folder of its labelled frames.
        num_classes: Number of classes of the dataset.
        settings: Settings of the export.
    """

    root: Path
    stored: StoredRepresentations
    label_folder: Path
    num_classes: int
    settings: ExportSettings

    recipe: ClassVar[str] = "ExportJob 1"

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        # Pictures are not listed, to keep the index of a large dataset small.
        return _OUTPUTS

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        if len(self._windows) == 0:
            raise NoLabelsError("no window ends at a labelled frame, so there are no pictures")
        blank = self._shown(np.zeros((self.stored.channels, 1, 1), self.stored.dtype))
        signed = np.issubdtype(blank.dtype, np.signedinteger)
        paint = self.settings.picture.build(len(blank), signed=signed)
        frames = read_frames(self.stored, self._windows, self.label_folder, self.num_classes)
        files = self._files()
        last_files = self._claim(folder / EXPORT, files)
        num_bytes = self._write_files(frames, paint)
        for file in last_files - set(files):
            (self.root / file).unlink(missing_ok=True)
        layout.write_notes(folder / EXPORT / layout.LEDGER_FILE, self._ledger(files, frames))
        summary = Summary(
            num_frames=len(frames),
            num_boxes=sum(len(frame.boxes) for frame in frames),
            num_bytes=num_bytes,
        )
        record = Record(fingerprint=fingerprint, settings=self._settings(), summary=summary)
        layout.write_notes(folder / EXPORT / layout.EXPORT_RECORD_FILE, record)
        return record

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        beside = (self.stored.path.with_name(name) for name in (TIMES_FILE, FRAME_WINDOWS_FILE))
        labels = (self.label_folder / name for name in (LABELS_FILE, TIMES_FILE))
        return (self.stored.path, *beside, *labels)

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"key": self.stored.key, "num_classes": self.num_classes, **self._settings()}

    def _settings(self) -> dict[str, Any]:
        """Settings that affect the files of one recording."""
        settings = self.settings.model_dump(mode="json", serialize_as_any=True)
        chosen = {name: settings[name] for name in ("picture", "every")}
        return chosen | {"yolo": "yolo" in self.settings.formats}

    @property
    def _windows(self) -> Int64[np.ndarray, " F"]:
        return self.stored.frame_windows[:: self.settings.every]

    def _shown(self, frame: Integer[np.ndarray, "C H W"]) -> Integer[np.ndarray, "_ H W"]:
        return self.stored.drawn(frame) if self.settings.picture.shows_polarities else frame

    def _files(self) -> list[str]:
        split = RecordingKey.parse(self.stored.key).split
        names = frame_names(self.stored.key, self.stored.stop_us[self._windows])
        files = [layout.picture_file(split, name) for name in names]
        if "yolo" in self.settings.formats:
            files += [layout.label_file(split, name) for name in names]
        return files

    def _claim(self, notes: Path, files: Sequence[str]) -> set[str]:
        """Register `files` as unfinished files of the export; return the files registered before.

        Raises:
            StoreError: If another file already has one of these names.
        """
        last_files = set(layout.read_ledger(notes / layout.LEDGER_FILE).files)
        foreign = [file for file in files if file not in last_files and (self.root / file).exists()]
        if foreign:
            raise StoreError(
                f"{self.root / foreign[0]} already exists and was not exported here: move it away, "
                "or choose another folder for `exported_dataset` in the catalog"
            )
        withdraw(self.root)
        # If the record stayed, the files of an export that was killed would look complete to the
        # next export with the settings of the record.
        (notes / layout.EXPORT_RECORD_FILE).unlink(missing_ok=True)
        claimed = self._ledger(sorted(last_files | set(files)))
        layout.write_notes(notes / layout.LEDGER_FILE, claimed)
        return last_files

    def _ledger(
        self, files: Sequence[str], frames: tuple[layout.ExportedFrame, ...] = ()
    ) -> layout.Ledger:
        size = {"width": self.stored.width, "height": self.stored.height}
        return layout.Ledger(files=tuple(files), frames=frames, **size)

    def _write_files(self, frames: Sequence[layout.ExportedFrame], paint: Painter) -> int:
        """Write the picture of each frame and, for YOLO, its boxes; return the number of bytes."""
        # Only the export itself needs the compressor.
        from etram_pipeline.export.png import encode_png

        split = RecordingKey.parse(self.stored.key).split
        num_bytes = 0
        for window, frame in zip(self._windows.tolist(), frames, strict=True):
            content = encode_png(paint(self._shown(self.stored.read(window, window + 1)[0])))
            _write(self.root / layout.picture_file(split, frame.name), content)
            num_bytes += len(content)
            if "yolo" in self.settings.formats:
                lines = box_lines(frame.boxes, self.stored.height, self.stored.width)
                _write(self.root / layout.label_file(split, frame.name), lines.encode())
                num_bytes += len(lines)
        return num_bytes


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as partial:
        partial.write_bytes(content)
