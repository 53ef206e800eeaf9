"""What computes a detector's windows on a CPU; one module per engine.

Each engine is a model for `streaming.stream.DetectionStream`, so that whole streams can be compared
and not only their networks.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.core.component import Component
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.streaming.description import Description

if TYPE_CHECKING:
    from etram_pipeline.streaming.window_model import WindowModel
else:  # importing it takes long, and parameters name engines
    WindowModel = object


@dataclass(frozen=True)
class EngineFiles:
    """What engines are made from.

    Attributes:
        exported: The exported detector.
        checkpoint: The checkpoint that it was exported from; None if there is none.
        calibration: Recordings in which engines that round numbers find their ranges.
    """

    exported: Path
    checkpoint: Path | None = None
    calibration: Sequence[WindowRepresentations] = ()

    def checkpoint_for(self, engine: str) -> Path:
        """The checkpoint, for an engine that computes one.

        Raises:
            SettingsError: If there is none.
        """
        if self.checkpoint is None:
            raise SettingsError(
                f"the engine {engine} computes a checkpoint, but only the exported file "
                f"{self.exported} is given: give the checkpoint that it was exported from, or "
                "leave this engine out"
            )
        return self.checkpoint


class EngineConfig(Component):
    """Chooses an engine.

    Making it has two steps, because the second one is measured: it runs in a process of its own.
    """

    package: ClassVar[str] = __name__

    needs: ClassVar[tuple[str, ...]] = ()
    """Optional packages that it cannot do without."""

    extra: ClassVar[str] = "deploy"
    """What to install for them."""

    def find_fault(self) -> str:
        """Error message for packages that are not installed; empty if all are there."""
        missing = [name for name in self.needs if find_spec(name) is None]
        if not missing:
            return ""
        return (
            f"the engine {self.kind} needs {' and '.join(missing)}, not installed here: "
            f"pip install -e '.[{self.extra}]', or leave this engine out of deploy.latency.engines"
        )

    @property
    def name(self) -> str:
        """Name in tables and metrics: the kind, and what differs from its defaults."""
        chosen = self.model_dump(exclude={"kind"}, exclude_defaults=True)
        return "_".join([self.kind, *map(str, chosen.values())])

    @property
    def is_exact(self) -> bool:
        """Whether it computes in single precision, so that boxes are those of the checkpoint."""
        return True

    def prepare(self, files: EngineFiles, folder: Path) -> Path:  # noqa: ARG002
        """The file that `load` reads.

        Args:
            files: What the engine is made from.
            folder: Where the file is written, if the engine needs one of its own.

        Raises:
            SettingsError: If the engine needs something that is not among the files.
        """
        return files.exported

    @abstractmethod
    def load(self, path: Path, description: Description, *, threads: int) -> WindowModel:
        """The detector, ready to compute.

        Args:
            path: The file of `prepare`.
            description: What the exported detector says about itself.
            threads: Threads that compute one window.

        Raises:
            EtramError: If the engine cannot run the detector.
        """
