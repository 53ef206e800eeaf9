"""ONNX Runtime, which the installed runtime uses."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from etram_pipeline.deployment.engines import EngineConfig
from etram_pipeline.streaming.description import Description

if TYPE_CHECKING:
    from etram_pipeline.streaming.window_model import WindowModel
else:  # importing it takes long, and parameters name engines
    WindowModel = object


class Config(EngineConfig):
    """ONNX Runtime runs the exported file as it is, in single precision."""

    needs: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    kind: Literal["onnxruntime"] = "onnxruntime"

    @override
    def load(self, path: Path, description: Description, *, threads: int) -> WindowModel:
        from etram_pipeline.streaming.model import ExportedModel

        return ExportedModel(path, threads=threads)
