"""The course of a training, beside its checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview
from typing_extensions import override

from etram_pipeline.core.files import written_whole

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # Kedro reads this module long before anything needs pandas
    DataFrame = object

COLUMNS = ("step", "name", "value")


class HistoryDataset(AbstractDataset[DataFrame, DataFrame]):
    """Loss curves as a CSV file; a checkpoint from elsewhere has none, which loads as no rows.

    Args:
        filepath: The CSV file, relative to the project.
        metadata: Read by kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    @override
    def load(self) -> DataFrame:
        import pandas as pd

        if not self._filepath.is_file():
            return pd.DataFrame(columns=list(COLUMNS))
        return pd.read_csv(self._filepath)

    @override
    def save(self, data: DataFrame) -> None:
        with written_whole(self._filepath) as partial:
            data.to_csv(partial, index=False)

    @override
    def _exists(self) -> bool:
        return self._filepath.is_file()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def preview(self, nrows: int = 20) -> TablePreview:
        """Last rows, for kedro-viz."""
        return TablePreview(self.load().tail(nrows).to_dict(orient="split"))
