"""Lines and zones of a site."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.traffic.site import Site


class SiteDataset(AbstractDataset[NoReturn, Site | None]):
    """A file of lines and zones that a user made; None without one.

    Args:
        filepath: The file, relative to the project; null: lines near the borders of the sensor
            stand in for it.
        metadata: Read by kedro-viz.
    """

    def __init__(
        self, *, filepath: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = None if filepath is None else Path(filepath)
        self.metadata = metadata

    @override
    def load(self) -> Site | None:
        from etram_pipeline.traffic.site_files import read_site

        return None if self._filepath is None else read_site(self._filepath)

    @override
    def save(self, data: NoReturn) -> None:
        raise DatasetError(f"{self._filepath} is drawn by a user, and is never written")

    @override
    def _exists(self) -> bool:
        return self._filepath is None or self._filepath.is_file()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"filepath": None if self._filepath is None else str(self._filepath)}
