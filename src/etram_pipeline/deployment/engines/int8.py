"""ONNX Runtime with numbers of eight bits."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.deployment.engines import EngineConfig, EngineFiles
from etram_pipeline.streaming.description import Description

if TYPE_CHECKING:
    from etram_pipeline.streaming.window_model import WindowModel
else:  # importing it takes long, and parameters name engines
    WindowModel = object


class Config(EngineConfig):
    """ONNX Runtime runs the exported file with weights, or all numbers, rounded to eight bits.

    Attributes:
        method: `static`: convolutions and products compute with eight bits, in ranges found in
            stored windows. `dynamic`: only products, in ranges found in each window anew.
        windows: Windows in which `static` finds the ranges, from several recordings.
    """

    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")

    kind: Literal["int8"] = "int8"
    method: Literal["static", "dynamic"] = "static"
    windows: int = Field(default=48, ge=1)

    @property
    @override
    def is_exact(self) -> bool:
        return False

    @override
    def prepare(self, files: EngineFiles, folder: Path) -> Path:
        from etram_pipeline.deployment.quantisation import quantise

        path = folder / f"{self.name}.onnx"
        if self.method == "dynamic":
            quantise(files.exported, path)
        else:
            quantise(files.exported, path, files.calibration, num_windows=self.windows)
        return path

    @override
    def load(self, path: Path, description: Description, *, threads: int) -> WindowModel:
        from etram_pipeline.streaming.model import ExportedModel

        return ExportedModel(path, threads=threads)
