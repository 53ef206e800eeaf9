"""PyTorch, operation by operation: what the detector is trained with."""

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
    """PyTorch computes the checkpoint.

    Attributes:
        precision: `bf16-mixed` computes products and convolutions in bfloat16, as predicting does
            where the processor has instructions for it.
    """

    kind: Literal["eager"] = "eager"
    precision: Literal["32", "bf16-mixed"] = "32"

    @property
    @override
    def is_exact(self) -> bool:
        return self.precision == "32"

    @override
    def prepare(self, files: EngineFiles, folder: Path) -> Path:
        return files.checkpoint_for(self.kind)

    @override
    def load(self, path: Path, description: Description, *, threads: int) -> WindowModel:
        from etram_pipeline.deployment.torch_model import read_torch_model

        return read_torch_model(path, description, self.precision, threads=threads)
