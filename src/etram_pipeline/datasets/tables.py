"""Tables that people open in a spreadsheet."""

from typing import TYPE_CHECKING

from kedro.io import DatasetError
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.spreadsheet import inert, original
from etram_pipeline.datasets.files import SingleFileDataset
from etram_pipeline.datasets.previews import TablePreview

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # Kedro reads this module long before anything needs pandas
    DataFrame = object


class TableDataset(SingleFileDataset[DataFrame, DataFrame]):
    """A CSV file whose texts are escaped, so that no spreadsheet runs them as formulas.

    Loading returns what was saved; names of recordings stay text, even if they look like numbers.

    Args:
        filepath: The CSV file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def load(self) -> DataFrame:
        import pandas as pd

        if not self._filepath.is_file():
            raise DatasetError(f"{self._filepath} does not exist: run the pipeline that makes it")
        names = {"recording": str, "split": str}
        try:
            table = pd.read_csv(self._filepath, dtype=names, keep_default_na=False, na_values=[""])
        except ValueError as error:
            raise StoreError(
                f"{self._filepath} is damaged: delete it, and run the pipeline that makes it"
            ) from error
        return table.map(original).rename(columns=original)

    @override
    def save(self, data: DataFrame) -> None:
        with written_whole(self._filepath) as partial:
            data.map(inert).rename(columns=inert).to_csv(partial, index=False)

    def preview(self, nrows: int = 30) -> TablePreview:
        """First rows, for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))
