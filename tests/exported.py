"""An exported detector as small as can be: each cell of the frame is as likely as it is active."""

import base64
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.streaming.description import Description, FrameShape, TestVector
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.model_file import write_model_file
from etram_pipeline.streaming.selection import select

CELL_PX = 8
"""Side of the box that each anchor detects."""

KEPT = 0.5
"""What is left of the memory of a cell after a window; its activity is added."""

CLASS_NAMES = ("pedestrian", "car", "tram")

ENCODING = EncodingSettings.model_validate(
    {
        "windows": {"kind": "regular", "duration_ms": 50, "step_ms": 50},
        "representation": {"kind": "stacked_histogram", "bins": 2},
    }
)


def describe(height: int = 32, width: int = 64, **fields: object) -> Description:
    """The description of the detector for frames of a size."""
    frames = FrameShape(channels=4, height=height, width=width)
    given = {"class_names": CLASS_NAMES, "encoding": ENCODING, "downsampled_by": 1} | fields
    return Description.model_validate({"frames": frames, **given})


def write_exported(
    path: Path,
    description: Description | None = None,
    *,
    lanes: int | str = "lanes",
    remembers: bool = True,
) -> Path:
    """Write the detector; its anchors take turns in the classes that they detect.

    Args:
        path: The file.
        description: Its frames' height and width must be multiples of 8 px.
        lanes: Number of lanes; a name: any number.
        remembers: Whether it has a memory.
    """
    about = description or describe()
    model = _model(about, lanes)
    if not remembers:
        _forget(model)
    write_model_file(path, model.SerializeToString(), about)
    return path


def write_checked(
    path: Path, windows: UInt8[np.ndarray, "W C H W2"], *, downsampled_by: int = 1
) -> Path:
    """Write the detector with a test vector of these windows."""
    plain = describe(*windows.shape[2:], downsampled_by=downsampled_by)
    model = ExportedModel(write_exported(path, plain))
    found = [select(model.step(window[None]), plain)[0] for window in windows]
    vector = TestVector(
        frames=base64.b64encode(zlib.compress(windows.tobytes())).decode(),
        num_windows=len(windows),
        boxes_xyxy=tuple(tuple(map(tuple, each.boxes_xyxy.tolist())) for each in found),
        scores=tuple(tuple(each.scores.tolist()) for each in found),
        class_ids=tuple(tuple(each.class_ids.tolist()) for each in found),
    )
    return write_exported(path, plain.model_copy(update={"test_vector": vector}))


def some_windows(number: int, height: int = 32, width: int = 64) -> UInt8[np.ndarray, "W C H W2"]:
    """Counts of a few events, always the same."""
    drawn = np.random.default_rng(0).poisson(0.1, (number, 4, height, width))
    return drawn.astype(np.uint8)


def _forget(model: ModelProto) -> None:
    """Take away the memory."""
    del model.graph.input[1], model.graph.output[3]
    kept = [node for node in model.graph.node if node.output[0] not in {"left", "next_memory_0"}]
    [flat] = [node for node in kept if node.output[0] == "flat"]
    flat.input[0] = "activity"
    copied = [NodeProto.FromString(node.SerializeToString()) for node in kept]
    del model.graph.node[:]
    model.graph.node.extend(copied)


def _model(about: Description, lanes: int | str) -> ModelProto:
    shape = about.frames
    rows, columns = shape.height // CELL_PX, shape.width // CELL_PX
    num_anchors, num_classes = rows * columns, len(about.class_names)
    corners = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(1, -1, 2)
    boxes = np.concatenate([corners, corners + 1], -1).astype(np.float32) * CELL_PX
    classes = np.eye(num_classes, dtype=np.float32)[np.arange(num_anchors) % num_classes]
    constants = {
        "channels": np.array([1]),
        "kept": np.float32(KEPT),
        "per_anchor": np.array([0, num_anchors, 1]),
        "nothing": np.float32(0),
        "cells": boxes,
        "turns": classes[None] * np.float32(0.9),
    }
    nodes = [
        helper.make_node("Cast", ["frames"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers", "channels"], ["events"], keepdims=1),
        helper.make_node(
            "AveragePool",
            ["events"],
            ["activity"],
            kernel_shape=[CELL_PX] * 2,
            strides=[CELL_PX] * 2,
        ),
        helper.make_node("Mul", ["memory_0", "kept"], ["left"]),
        helper.make_node("Add", ["left", "activity"], ["next_memory_0"]),
        helper.make_node("Reshape", ["next_memory_0", "per_anchor"], ["flat"]),
        helper.make_node("Tanh", ["flat"], ["objectness"]),
        helper.make_node("Mul", ["objectness", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "cells"], ["boxes"]),
        helper.make_node("Add", ["zeros", "turns"], ["class_scores"]),
    ]
    frame = [lanes, shape.channels, shape.height, shape.width]
    cells = [lanes, 1, rows, columns]
    graph = helper.make_graph(
        nodes,
        "detector",
        [
            helper.make_tensor_value_info("frames", TensorProto.UINT8, frame),
            helper.make_tensor_value_info("memory_0", TensorProto.FLOAT, cells),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
            for name, sides in (
                ("boxes", [lanes, num_anchors, 4]),
                ("objectness", [lanes, num_anchors, 1]),
                ("class_scores", [lanes, num_anchors, num_classes]),
                ("next_memory_0", cells),
            )
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="tests"
    )
