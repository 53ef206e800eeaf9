"""What each kind of mistake costs, as a JSON file."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel
from typing_extensions import override

from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.results import ResultsDataset

if TYPE_CHECKING:
    from etram_pipeline.analysis.error_report import ErrorReport
else:  # importing it takes long, and Kedro reads this module for every command
    ErrorReport = BaseModel


class ErrorsDataset(ResultsDataset[ErrorReport]):
    """Costs of kinds of mistakes by protocol name.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def parse(self, text: str) -> dict[str, ErrorReport]:
        from etram_pipeline.analysis.error_report import ErrorReport

        content = json.loads(text)
        return {name: ErrorReport.model_validate(report) for name, report in content.items()}

    @override
    def numbers(self, data: Mapping[str, ErrorReport]) -> dict[str, float]:
        """Metrics for the MLflow hook: `{"test/etram_8class/errors/location": 0.04, …}`."""
        from etram_pipeline.analysis.error_report import flatten_errors

        flat: dict[str, float] = {}
        for report in data.values():
            flat |= flatten_errors(report)
        return flat

    def preview(self) -> TablePreview:
        """Gain and number of each kind, for kedro-viz."""
        rows = [
            [protocol, kind, gain, report.overall.counts[kind]]
            for protocol, report in self.load().items()
            for kind, gain in report.overall.gains.items()
        ]
        columns = ["protocol", "kind", "gain in AP", "mistakes"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})
