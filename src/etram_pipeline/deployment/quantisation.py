"""Exported detectors with numbers of eight bits, written by ONNX Runtime."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.streaming.description import Description
from etram_pipeline.streaming.model import ExportedModel, read_description
from etram_pipeline.streaming.model_file import write_model_file

_PRODUCTS = ["MatMul", "Gemm"]

_EVERY = 4
"""Of so many windows, one is used for calibration; the others only move the memory on."""

_OF_ONE = 12
"""Windows for calibration from one recording."""

Feed = dict[str, np.ndarray]


def quantise(
    exported: Path,
    path: Path,
    recordings: Sequence[WindowRepresentations] | None = None,
    *,
    num_windows: int = 48,
) -> None:
    """Write an exported detector with numbers of eight bits; it is run like any other one.

    Weights are rounded channel by channel. The file has no test vector, since its detections are
    not those of the checkpoint.

    Args:
        exported: The exported detector.
        path: The file to write.
        recordings: Recordings in whose windows the ranges of all numbers are found, so that
            convolutions and products compute with eight bits. None: only products do, in ranges
            found in each window anew.
        num_windows: Windows in which ranges are found.

    Raises:
        SettingsError: If no recording has windows of the size that the file was exported for.
    """
    description = read_description(exported)
    import onnxruntime.quantization.shape_inference

    quantization = onnxruntime.quantization
    common = {"per_channel": True, "weight_type": quantization.QuantType.QInt8}
    with TemporaryDirectory() as folder:
        prepared, rounded = Path(folder) / "prepared.onnx", Path(folder) / "rounded.onnx"
        quantization.shape_inference.quant_pre_process(exported, prepared, skip_symbolic_shape=True)
        if recordings is None:
            quantization.quantize_dynamic(
                prepared, rounded, op_types_to_quantize=_PRODUCTS, **common
            )
        else:
            feeds = list(_feeds(exported, description, num_windows, recordings))
            quantization.quantize_static(
                prepared,
                rounded,
                _reader(quantization, feeds),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv", *_PRODUCTS],
                activation_type=quantization.QuantType.QUInt8,
                **common,
            )
        without = description.model_copy(update={"test_vector": None})
        write_model_file(path, rounded.read_bytes(), without)


def _feeds(
    exported: Path,
    description: Description,
    num_windows: int,
    recordings: Sequence[WindowRepresentations],
) -> Iterator[Feed]:
    """Inputs of windows spread over recordings, with the memory carried on from window to window.

    Memories are inputs too, and their ranges matter as much as those of the frames.
    """
    shape = description.frames
    fitting = [
        each
        for each in recordings
        if (each.channels, each.height, each.width) == (shape.channels, shape.height, shape.width)
    ]
    if not fitting:
        raise SettingsError(
            "the engine int8 finds ranges of numbers in stored windows, but no recording has "
            f"windows of {shape.channels} x {shape.height} x {shape.width}: run `kedro run "
            "--pipelines preprocess` on training recordings, or choose `method: dynamic`"
        )
    model = ExportedModel(exported)
    chosen = fitting[: max(1, num_windows // _OF_ONE)]
    each_has = -(-num_windows // len(chosen))
    for recording in chosen:
        model.reset()
        for number in range(min(_EVERY * each_has, recording.num_windows)):
            window = recording.read(number, number + 1)
            if number % _EVERY == _EVERY - 1:
                memories = model.state or model.zeros(1)
                names = (f"memory_{index}" for index in range(len(memories)))
                yield {"frames": window, **dict(zip(names, memories, strict=True))}
            model.step(window)


def _reader(quantization: Any, feeds: list[Feed]) -> Any:  # noqa: ANN401, it is optional
    """The inputs as the library reads them."""

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self.left = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self.left, None)

    return Reader()
