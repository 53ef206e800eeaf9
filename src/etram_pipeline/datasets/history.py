"""Loss curves of a training run."""

from typing import TYPE_CHECKING

from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.datasets.files import SingleFileDataset
from etram_pipeline.datasets.previews import TablePreview

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # Kedro reads this module long before anything needs pandas
    DataFrame = object

COLUMNS = ("step", "name", "value")


class HistoryDataset(SingleFileDataset[DataFrame, DataFrame]):
    """Loss curves as a CSV file; loads as an empty table for a checkpoint from elsewhere.

    Args:
        filepath: The CSV file, relative to the project.
        metadata: Read by kedro-viz.
    """

    @override
    def load(self) -> DataFrame:
        import pandas as pd

        if not self._filepath.is_file():
            return pd.DataFrame(columns=list(COLUMNS))
        try:
            return pd.read_csv(self._filepath)
        except ValueError as error:
            raise StoreError(
                f"{self._filepath} is damaged: delete it, or run `kedro run --pipelines train`"
            ) from error

    @override
    def save(self, data: DataFrame) -> None:
        with written_whole(self._filepath) as partial:
            data.to_csv(partial, index=False)

    def preview(self, nrows: int = 20) -> TablePreview:
        """Last rows, for kedro-viz."""
        return TablePreview(self.load().tail(nrows).to_dict(orient="split"))
