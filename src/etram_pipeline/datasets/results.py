"""Results of an evaluation by protocol, as one JSON file."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from kedro.io import DatasetError
from pydantic import BaseModel
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.datasets.files import SingleFileDataset

Result = TypeVar("Result", bound=BaseModel)

_REMEDY = "run `kedro run --pipelines evaluate`"


class ResultsDataset(SingleFileDataset[Mapping[str, Result], dict[str, Result]]):
    """Results by protocol name.

    Args:
        filepath: The JSON file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @abstractmethod
    def parse(self, text: str) -> dict[str, Result]:
        """Results from the content of the file.

        Raises:
            ValueError: If it is damaged.
            AttributeError: If it is no mapping.
        """

    @abstractmethod
    def numbers(self, data: Mapping[str, Result]) -> dict[str, float]:
        """Metrics for the MLflow hook, by name."""

    @override
    def load(self) -> dict[str, Result]:
        if not self._filepath.is_file():
            raise DatasetError(f"{self._filepath} does not exist: {_REMEDY}")
        try:
            return self.parse(self._filepath.read_text())
        except (ValueError, AttributeError) as error:
            raise StoreError(f"{self._filepath} is damaged: {_REMEDY}") from error

    @override
    def save(self, data: Mapping[str, Result]) -> None:
        content = {name: result.model_dump(mode="json") for name, result in data.items()}
        with written_whole(self._filepath) as partial:
            partial.write_text(json.dumps(content, indent=1))
