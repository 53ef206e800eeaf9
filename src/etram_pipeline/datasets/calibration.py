"""Whether scores can be trusted, by protocol, as one JSON file."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel
from typing_extensions import override

from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.results import ResultsDataset

if TYPE_CHECKING:
    from etram_pipeline.analysis.reliability import CalibrationResult
else:  # importing it takes long, and Kedro reads this module for every command
    CalibrationResult = BaseModel


class CalibrationDataset(ResultsDataset[CalibrationResult]):
    """Expected calibration error and reliability of scores by protocol name.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def parse(self, text: str) -> dict[str, CalibrationResult]:
        from etram_pipeline.analysis.reliability import CalibrationResult

        content = json.loads(text)
        return {name: CalibrationResult.model_validate(found) for name, found in content.items()}

    @override
    def numbers(self, data: Mapping[str, CalibrationResult]) -> dict[str, float]:
        """Metrics for the MLflow hook: `{"test/etram_8class/calibration/ece": 0.04, …}`."""
        from etram_pipeline.analysis.reliability import flatten_calibration

        flat: dict[str, float] = {}
        for result in data.values():
            flat |= flatten_calibration(result)
        return flat

    def preview(self) -> TablePreview:
        """Error of all detections and of each class, for kedro-viz."""
        rows = [
            [protocol, name, each.num_detections, each.ece]
            for protocol, found in self.load().items()
            for name, each in {"all": found.overall, **found.per_class}.items()
        ]
        columns = ["protocol", "class", "detections", "calibration error"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})
