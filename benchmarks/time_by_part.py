"""Time of a training step by part of the detector."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from etram_pipeline.models.attention import PartAttention, PartitionAttention
from etram_pipeline.models.backbones.maxvit import DownsamplingLayer
from etram_pipeline.models.detectors.rvt import RVT

MARK = "part:"
STEPS = 3


class TimeByPart:
    """Share of the time of each part, in the forward and the backward pass.

    An operation on the way back belongs to the part that made its counterpart on the way there.
    """

    def __init__(self, detector: RVT, device: str) -> None:
        self._parts = dict(_parts(detector))
        self._on_gpu = device != "cpu"

    def measure(self, step: Callable[[], object]) -> dict[str, float]:
        """Run `step` a few times; shares by part, the largest first."""
        activities = [ProfilerActivity.CPU]
        if self._on_gpu:
            activities.append(ProfilerActivity.CUDA)
        with _marked(self._parts), profile(activities=activities) as profiled:
            for _ in range(STEPS):
                step()
        spent: dict[str, float] = defaultdict(float)
        part_of: dict[int, str] = {}
        for event in sorted(profiled.events() or [], key=lambda event: event.time_range.start):
            part = _part_of(event, part_of)
            if event.sequence_nr >= 0 and not _is_way_back(event):
                # Of several operations with a number, the last one made the node with it.
                part_of[event.sequence_nr] = part
            spent[part] += (
                event.self_device_time_total if self._on_gpu else event.self_cpu_time_total
            )
        total = sum(spent.values())
        return {
            part: time / total for part, time in sorted(spent.items(), key=lambda item: -item[1])
        }


def _parts(detector: RVT) -> Iterator[tuple[nn.Module, str]]:
    for module in detector.modules():
        if isinstance(module, DownsamplingLayer):
            yield module, "downsampling"
        elif isinstance(module, PartAttention):
            yield module, "attention"
        elif isinstance(module, PartitionAttention):
            yield module, "partition, norms and residuals"
            yield module.mlp, "perceptron"
        elif hasattr(module, "cell") and isinstance(module.cell, nn.Module):
            yield module.cell, "cell"
    for name in ("neck", "head", "loss"):
        yield detector.get_submodule(name), name


class _Mark:
    """The name of a part, around what it computes."""

    def __init__(self, part: str) -> None:
        self._name = MARK + part
        self._open: list[record_function] = []

    def open(self, *_: object) -> None:
        self._open.append(record_function(self._name))
        self._open[-1].__enter__()

    def close(self, *_: object) -> None:
        self._open.pop().__exit__(None, None, None)


@contextmanager
def _marked(parts: dict[nn.Module, str]) -> Iterator[None]:
    """Label all operations of a module with the name of its part in the profile."""
    with ExitStack() as hooks:
        for module, part in parts.items():
            mark = _Mark(part)
            hooks.enter_context(module.register_forward_pre_hook(mark.open))
            hooks.enter_context(module.register_forward_hook(mark.close))
        yield


def _part_of(event: FunctionEvent, part_of: dict[int, str]) -> str:
    """The part of the innermost event around `event` that has one."""
    around: FunctionEvent | None = event
    while around is not None:
        if around.name.startswith(MARK):
            return around.name.removeprefix(MARK)
        if _is_way_back(around) and around.sequence_nr in part_of:
            return part_of[around.sequence_nr]
        around = around.cpu_parent
    return "rest"


def _is_way_back(event: FunctionEvent) -> bool:
    return event.name.startswith("autograd::engine::evaluate_function")
