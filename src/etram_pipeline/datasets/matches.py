"""Matches of every protocol, one file each."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

if TYPE_CHECKING:
    from etram_pipeline.evaluation.matches import Matches
else:  # Kedro reads this module long before anything needs them
    Matches = object

_FILES = "*.npz"


class MatchesDataset(AbstractDataset[Mapping[str, Matches], dict[str, Matches]]):
    """Matches by protocol name, in files named `<split>-<protocol>.npz`.

    Saving replaces all files of the folder. It first removes the metrics that describe them, so
    that metrics and matches never come from different evaluations, even if a run ends in between.

    Args:
        path: The folder, relative to the project.
        described_by: File of the metrics of the same detections, saved after the matches.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    def __init__(
        self, *, path: str, described_by: str, metadata: dict[str, Any] | None = None
    ) -> None:
        self._path = Path(path)
        self._described_by = Path(described_by)
        self.metadata = metadata

    @override
    def load(self) -> dict[str, Matches]:
        from etram_pipeline.evaluation.matches import read_matches

        if not self._exists():
            raise DatasetError(
                f"{self._path} holds no matches: run `kedro run --pipelines evaluate`"
            )
        found = [read_matches(path) for path in sorted(self._path.glob(_FILES))]
        return {matches.protocol.name: matches for matches in found}

    @override
    def save(self, data: Mapping[str, Matches]) -> None:
        from etram_pipeline.evaluation.matches import write_matches

        self._described_by.unlink(missing_ok=True)
        self._path.mkdir(parents=True, exist_ok=True)
        for path in self._path.glob(_FILES):
            path.unlink()
        for name, matches in data.items():
            write_matches(matches, self._path / f"{matches.split}-{name}.npz")

    @override
    def _exists(self) -> bool:
        return any(self._path.glob(_FILES))

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "described_by": str(self._described_by)}
