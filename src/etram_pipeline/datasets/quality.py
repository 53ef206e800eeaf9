"""Measurements for the quality report, and its metrics."""

import json
from collections.abc import Mapping

from typing_extensions import override

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.files import written_whole
from etram_pipeline.datasets.files import SingleFileDataset
from etram_pipeline.datasets.previews import JSONPreview, TablePreview
from etram_pipeline.datasets.stores import StoreDataset, build_store, load_store, table_preview
from etram_pipeline.quality.job import QualityStore
from etram_pipeline.stores.layout import QUALITY


class QualityDataset(StoreDataset[QualityStore]):
    """Quality of each recording and its labels.

    Saving takes one job per recording and runs the jobs whose result is missing or out of date. A
    recording that cannot be read does not stop the run; the report lists it.

    Args:
        path: Folder of the store.
        executor: Where jobs run: `{kind: inline}`, `{kind: processes, workers: 4}` or
            `{kind: dask, …}`.
        metadata: Read by kedro-viz.
    """

    @override
    def load(self) -> QualityStore:
        return load_store(QualityStore, self._path)

    @override
    def save(self, data: Mapping[str, BuildJob]) -> None:
        build_store(self._path, QUALITY, data, self.executor, raise_failures=False)

    def preview(self, nrows: int = 10) -> TablePreview:
        """Events and boxes of the first recordings, for kedro-viz."""
        summaries = list(self.load().summaries.items())[:nrows]
        rows = [[key, summary.num_events, summary.num_boxes] for key, summary in summaries]
        return table_preview(["recording", "events", "boxes in file"], rows)


class NumbersDataset(SingleFileDataset[Mapping[str, float], dict[str, float]]):
    """Numbers by name as a JSON file.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def load(self) -> dict[str, float]:
        content: dict[str, float] = json.loads(self._filepath.read_text())
        return content

    @override
    def save(self, data: Mapping[str, float]) -> None:
        with written_whole(self._filepath) as partial:
            partial.write_text(json.dumps(dict(data), indent=1))

    def numbers(self, data: Mapping[str, float]) -> dict[str, float]:
        """Metrics for the MLflow hook."""
        return dict(data)

    def preview(self) -> JSONPreview:
        """All numbers, for kedro-viz."""
        return JSONPreview(json.dumps(self.load(), indent=1))
