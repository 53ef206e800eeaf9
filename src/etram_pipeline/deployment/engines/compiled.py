"""PyTorch with operations fused by `torch.compile`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from etram_pipeline.deployment.engines import EngineConfig, EngineFiles
from etram_pipeline.streaming.description import Description

if TYPE_CHECKING:
    from etram_pipeline.streaming.window_model import WindowModel
else:  # importing it takes long, and parameters name engines
    WindowModel = object


class Config(EngineConfig):
    """PyTorch compiles the checkpoint, which takes minutes of the first window.

    A C++ compiler must be installed.
    """

    kind: Literal["compiled"] = "compiled"

    @override
    def prepare(self, files: EngineFiles, folder: Path) -> Path:
        return files.checkpoint_for(self.kind)

    @override
    def load(self, path: Path, description: Description, *, threads: int) -> WindowModel:
        from etram_pipeline.deployment.torch_model import read_torch_model
        from etram_pipeline.models.execution import Execution

        execution = Execution(compile=True)
        return read_torch_model(path, description, execution=execution, threads=threads)
