"""A detector as an ONNX graph: one window of every lane, with the memory as inputs and outputs."""

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.models.detector import Detector, State

OPSET = 18
"""Lowest version in which the exporter can express `split` with a number of parts."""

MOST_LANES = 64
"""Most lanes of a file with a free number of them, which the exporter wants to know."""

LANES = "lanes"
"""Name of the free dimension."""

EXAMPLE_LANES = 2
"""Lanes of the example that a free number of them is exported with; 1 would become a constant."""


class OneWindow(nn.Module):
    """A detector for one window of every lane, with tensors alone as inputs and outputs."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    @override
    def forward(self, frames: Shaped[Tensor, "B C H W"], *memories: Tensor) -> tuple[Tensor, ...]:
        """Boxes, objectness, class scores, and the memories after the window."""
        found, state = self.detector.predict_window(frames, memories)
        return found.boxes_xyxy, found.objectness, found.class_scores, *state


def first_memories(detector: Detector, frames: Shaped[Tensor, "B C H W"]) -> State:
    """The memories before the first window: zeros."""
    with torch.inference_mode():
        _, after = detector.predict_window(frames, ())
    return tuple(torch.zeros(memory.shape) for memory in after)


def export_graph(
    detector: Detector, frames: Shaped[Tensor, "B C H W"], *, has_free_lanes: bool
) -> Any:  # noqa: ANN401, onnx is optional
    """The detector as an ONNX model, without metadata.

    Args:
        detector: The detector, on the CPU in single precision and evaluation mode.
        frames: Frames of the size, type and, unless it is free, number of lanes to export for.
        has_free_lanes: Whether the file may be used with any number of lanes.
    """
    inputs = (frames, *first_memories(detector, frames))
    names = [f"memory_{number}" for number in range(len(inputs) - 1)]
    with torch.no_grad():
        program = torch.export.export(
            OneWindow(detector).eval(),
            inputs,
            dynamic_shapes=_free_lanes(len(names)) if has_free_lanes else None,
        )
        _drop_checks(program)
        exported = torch.onnx.export(
            program,
            inputs,
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=["frames", *names],
            output_names=["boxes", "objectness", "class_scores", *(f"next_{n}" for n in names)],
            verbose=False,
        )
    if exported is None:
        raise TypeError("the exporter of PyTorch returned no model")
    model = exported.model_proto
    _strip(model)
    return model


def _free_lanes(num_memories: int) -> tuple[Any, ...]:
    lanes = torch.export.Dim(LANES, min=1, max=MOST_LANES)
    of_memories = tuple({0: lanes} for _ in range(num_memories))
    return ({0: lanes}, of_memories) if of_memories else ({0: lanes},)


def _drop_checks(program: torch.export.ExportedProgram) -> None:
    """Drop what only raises errors, which ONNX cannot."""
    graph = program.graph
    for node in reversed(list(graph.nodes)):
        if str(node.target).startswith("aten._assert"):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()


def _strip(model: Any) -> None:  # noqa: ANN401
    """Drop notes for debugging: a fifth of a small file, with paths of the exporting machine."""
    graph = model.graph
    del graph.value_info[:]
    described = (*graph.node, *graph.input, *graph.output, *graph.initializer)
    for part in (model, graph, *described):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*graph.input, *graph.output):
        for side in value.type.tensor_type.shape.dim:
            if side.dim_param:
                side.dim_param = LANES
