"""How fast an exported detector is, as a JSON file."""

from kedro.io import DatasetError
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.datasets.files import SingleFileDataset
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.stores import table_preview
from etram_pipeline.deployment.latency_report import DeploymentReport
from etram_pipeline.deployment.latency_table import COLUMNS, rows_of

_REMEDY = "run `kedro run --pipelines deploy`"


class DeploymentReportDataset(SingleFileDataset[DeploymentReport, DeploymentReport]):
    """Latency, memory and start-up time of an exported detector on one machine.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def load(self) -> DeploymentReport:
        if not self._filepath.is_file():
            raise DatasetError(f"{self._filepath} does not exist: {_REMEDY}")
        try:
            return DeploymentReport.model_validate_json(self._filepath.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"{self._filepath} is damaged: {_REMEDY}") from error

    @override
    def save(self, data: DeploymentReport) -> None:
        with written_whole(self._filepath) as partial:
            partial.write_text(data.model_dump_json(indent=1), encoding="utf-8")

    def numbers(self, data: DeploymentReport) -> dict[str, float]:
        """Metrics for the MLflow hook: `{"deploy/latency/p50_ms": 19.1, …}`."""
        return data.numbers()

    def preview(self) -> TablePreview:
        """What was measured, for kedro-viz."""
        return table_preview(list(COLUMNS), [list(row) for row in rows_of(self.load())])
