"""Metrics of every protocol, as one JSON file."""

import json
from collections.abc import Mapping

from typing_extensions import override

from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.results import ResultsDataset
from etram_pipeline.evaluation.result import Metrics, flatten_metrics
from etram_pipeline.reports.wording import value_text


def parse_metrics(text: str) -> dict[str, Metrics]:
    """Metrics by protocol name, from the content of a metrics file.

    Raises:
        ValueError: If it is damaged.
        AttributeError: If it is no mapping.
    """
    content = json.loads(text)
    return {name: Metrics.model_validate(metrics) for name, metrics in content.items()}


class MetricsDataset(ResultsDataset[Metrics]):
    """Metrics of detections by protocol name.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def parse(self, text: str) -> dict[str, Metrics]:
        return parse_metrics(text)

    @override
    def numbers(self, data: Mapping[str, Metrics]) -> dict[str, float]:
        """Metrics for the MLflow hook: `{"test/etram_8class/AP": 0.41, …}`."""
        flat: dict[str, float] = {}
        for metrics in data.values():
            flat |= flatten_metrics(metrics)
        return flat

    def preview(self) -> TablePreview:
        """Overall metrics of each protocol, for kedro-viz."""
        data = self.load()
        names = list(dict.fromkeys(name for metrics in data.values() for name in metrics.overall))
        columns = ["protocol", *names]
        rows = [
            [name, *(value_text(values[each]) if each in values else "" for each in names)]
            for name, values in ((name, metrics.overall) for name, metrics in data.items())
        ]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})
