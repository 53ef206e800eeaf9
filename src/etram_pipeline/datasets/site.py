"""Lines and zones of a site."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.fingerprint import file_digest
from etram_pipeline.traffic.site import Site


@dataclass(frozen=True)
class SiteFile:
    """The file of a site, read once the size of the sensor is known.

    Attributes:
        path: The file; None: lines near the borders of the sensor stand in for it.
    """

    path: Path | None

    def of(self, width: int, height: int) -> Site:
        """Lines and zones for a sensor.

        Args:
            width: Its columns, in px.
            height: Its rows, in px.

        Raises:
            SiteError: If the file is missing or wrong, or was drawn for another sensor.
        """
        from etram_pipeline.traffic.site_files import site_for

        return site_for(self.path, width, height)

    def __fingerprint__(self) -> object:
        return None if self.path is None else file_digest(self.path)


class SiteDataset(AbstractDataset[object, SiteFile]):
    """A file of lines and zones that a user drew.

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
    def load(self) -> SiteFile:
        if not self._exists():
            raise DatasetError(
                f"there is no site file {self._filepath}: draw lines on site.html and save it, or "
                "leave out `site`"
            )
        return SiteFile(self._filepath)

    @override
    def save(self, data: object) -> None:
        raise DatasetError(f"{self._filepath} is drawn by a user, and is never written")

    @override
    def _exists(self) -> bool:
        return self._filepath is None or self._filepath.exists()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"filepath": None if self._filepath is None else str(self._filepath)}
