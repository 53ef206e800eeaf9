"""Datasets for detectors of other projects; saving writes what is missing or out of date."""

from pathlib import Path

from kedro.io import DatasetError
from typing_extensions import override

from etram_pipeline.builds.executors import open_executor
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.stores import ComputedDataset, table_preview
from etram_pipeline.export.dataset import Export, write_dataset
from etram_pipeline.export.layout import DatasetSummary, read_summary


class ExportDataset(ComputedDataset[Export, Path]):
    """A folder of pictures, with boxes in the formats of COCO and YOLO; loading returns its path.

    Args:
        path: The folder, relative to the project; before the first export, it must be empty or
            missing.
        executor: Where jobs run: `{kind: inline}`, `{kind: processes, workers: 4}` or
            `{kind: dask, …}`.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def load(self) -> Path:
        self._summary()
        return self._path

    @override
    def save(self, data: Export) -> None:
        with open_executor(self.executor) as executor:
            write_dataset(self._path, data, executor)

    @override
    def _exists(self) -> bool:
        return read_summary(self._path) is not None

    def numbers(self, data: Export) -> dict[str, float]:  # noqa: ARG002  # what the hook gives
        """Metrics for the MLflow hook: `{"export/train/pictures": 700, …}`."""
        return {
            f"export/{split}/{name}": float(getattr(summary, name))
            for split, summary in self._summary().splits.items()
            for name in ("recordings", "pictures", "boxes")
        }

    def preview(self) -> TablePreview:
        """Numbers of recordings, pictures and boxes of each split, for kedro-viz."""
        splits = self._summary().splits
        names = list(next(iter(splits.values())).boxes_of_class)
        columns = ["split", "recordings", "pictures", "boxes", *names]
        rows = [
            [split, each.recordings, each.pictures, each.boxes, *each.boxes_of_class.values()]
            for split, each in splits.items()
        ]
        return table_preview(columns, rows)

    def _summary(self) -> DatasetSummary:
        summary = read_summary(self._path)
        if summary is None:
            raise DatasetError(
                f"{self._path} is not complete: run `kedro run --pipelines export`, which resumes "
                "the export"
            )
        return summary
