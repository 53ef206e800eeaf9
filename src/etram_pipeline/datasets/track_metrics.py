"""Scores of tracks, and errors of counts, as JSON files."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel
from typing_extensions import override

from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.results import ResultsDataset
from etram_pipeline.reports.wording import value_text

if TYPE_CHECKING:
    from etram_pipeline.evaluation.counts.result import CountMetrics
    from etram_pipeline.evaluation.tracks.result import TrackMetrics
else:  # importing them takes long, and Kedro reads this module for every command
    CountMetrics = TrackMetrics = BaseModel


class TrackMetricsDataset(ResultsDataset[TrackMetrics]):
    """Scores of tracks by protocol name.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def parse(self, text: str) -> dict[str, TrackMetrics]:
        from etram_pipeline.evaluation.tracks.result import TrackMetrics

        content = json.loads(text)
        return {name: TrackMetrics.model_validate(metrics) for name, metrics in content.items()}

    @override
    def numbers(self, data: Mapping[str, TrackMetrics]) -> dict[str, float]:
        """Metrics for the MLflow hook: `{"test/etram_tracks_8class/HOTA": 0.64, …}`."""
        from etram_pipeline.evaluation.tracks.result import flatten_track_metrics

        flat: dict[str, float] = {}
        for metrics in data.values():
            flat |= flatten_track_metrics(metrics)
        return flat

    def preview(self) -> TablePreview:
        """Overall scores of each protocol, for kedro-viz."""
        data = self.load()
        names = list(dict.fromkeys(name for metrics in data.values() for name in metrics.overall))
        rows = [
            [protocol, *(value_text(metrics.overall[name]) for name in names)]
            for protocol, metrics in data.items()
        ]
        return _table(["protocol", *names], rows)


class CountMetricsDataset(ResultsDataset[CountMetrics]):
    """Errors of counts by site name: `grid`, and `site` if one was drawn.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def parse(self, text: str) -> dict[str, CountMetrics]:
        from etram_pipeline.evaluation.counts.result import CountMetrics

        content = json.loads(text)
        return {name: CountMetrics.model_validate(metrics) for name, metrics in content.items()}

    @override
    def numbers(self, data: Mapping[str, CountMetrics]) -> dict[str, float]:
        """Metrics for the MLflow hook: `{"test/grid/count_recall": 0.97, …}`."""
        from etram_pipeline.evaluation.counts.result import flatten_count_metrics

        flat: dict[str, float] = {}
        for metrics in data.values():
            flat |= flatten_count_metrics(metrics)
        return flat

    def preview(self) -> TablePreview:
        """True and counted crossings of each site, for kedro-viz."""
        rows = [
            [name, metrics.overall.true, metrics.overall.counted]
            for name, metrics in self.load().items()
        ]
        return _table(["site", "true", "counted"], rows)


def _table(columns: list[str], rows: Sequence[Sequence[object]]) -> TablePreview:
    return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})
