"""OpenVINO, a runtime by Intel."""

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
    """OpenVINO runs the exported file.

    Attributes:
        precision: `bf16` is faster on processors that have instructions for it.
    """

    needs: ClassVar[tuple[str, ...]] = ("openvino",)
    extra: ClassVar[str] = "openvino"

    kind: Literal["openvino"] = "openvino"
    precision: Literal["f32", "bf16"] = "f32"

    @property
    @override
    def is_exact(self) -> bool:
        return self.precision == "f32"

    @override
    def load(self, path: Path, description: Description, *, threads: int) -> WindowModel:
        from etram_pipeline.deployment.openvino_model import OpenVinoModel

        return OpenVinoModel(path, description, self.precision, threads=threads)
