"""The lanes of a batch on several cores of a CPU, each group of lanes in its own thread.

Threads that share one operation wait for each other hundreds of times in a clip, and a core that
another process uses delays all of them each time. Lanes are independent: their threads wait for
each other only at the end, when their maps are joined.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from etram_pipeline.models.detector import State

LaneMaps = tuple[Float[Tensor, "T _ _ _ _"], ...]
"""Maps of one group of lanes; the number of lanes differs from group to group."""

RunBackbone = Callable[[Shaped[Tensor, "T B C H W"], State], tuple[LaneMaps, State]]
Result = TypeVar("Result")

_MOST_GROUPS = 4
"""More threads would mostly wait for the interpreter, which runs one of them at a time."""

_LANE_OF_MAPS, _LANE_OF_MEMORY, _CHANNEL = 1, 0, -3


class _Cores:
    """Number of cores for all lanes together; 0: as many as one operation of PyTorch uses."""

    number = 0


def use_cores(number: int) -> None:
    """Set the number of cores for all lanes, independent of the threads of single operations."""
    _Cores.number = number


def cores_in_use() -> int:
    """Number of cores that all lanes together, or one operation on them, may use."""
    return _Cores.number or torch.get_num_threads()


def num_groups(module: nn.Module, num_lanes: int) -> int:
    """Number of threads for this number of lanes.

    A module with dropout runs in one thread, so that its random numbers do not depend on timing.
    """
    draws = any(
        isinstance(part, nn.Dropout) and part.training and part.p > 0 for part in module.modules()
    )
    return 1 if draws else min(cores_in_use(), num_lanes, _MOST_GROUPS)


def run_in_groups(
    run: RunBackbone,
    frames: Shaped[Tensor, "T B C H W"],
    state: State,
    module: nn.Module,
    groups: int,
) -> tuple[LaneMaps, State]:
    """The result of `run` on a clip, computed in parallel for groups of lanes.

    Results and gradients are those of `run` on all lanes at once, up to rounding, and bit for bit
    reproducible for the same number of groups.

    Args:
        run: Computes each lane independently of the others.
        frames: Representations on the CPU, without gradient.
        state: Memories of every lane; empty before the first clip.
        module: The weights `run` uses.
        groups: Number of groups, at most one per lane.
    """
    weights = tuple(weight for weight in module.parameters() if weight.requires_grad)
    call = _Call(run, frames, groups)
    learns = weights or any(memory.requires_grad for memory in state)
    if torch.is_grad_enabled() and learns:
        joined = _Joined.apply(call, len(state), *state, *weights)
        return joined[: call.num_maps], joined[call.num_maps :]
    return call.join(call.run_groups(state))


class _Call:
    """One clip, and the results of its groups of lanes.

    Attributes:
        num_maps: Number of maps that precede the memories in the outputs.
        inputs: Memories before the clip, by group.
        outputs: Maps and memories of each group.
    """

    def __init__(self, run: RunBackbone, frames: Tensor, groups: int) -> None:
        self._run, self._frames, self._groups = run, frames, groups
        self.num_maps = 0
        self.inputs: list[State] = []
        self.outputs: list[tuple[Tensor, ...]] = []

    def run_groups(self, state: State) -> list[tuple[LaneMaps, State]]:
        """Maps and memories of each group of lanes."""
        frames = self._frames.tensor_split(self._groups, _LANE_OF_MAPS)
        states = self.split_state(state)
        return in_threads(self._run, list(zip(frames, states, strict=True)))

    def split_state(self, state: State) -> list[State]:
        """The memories of each group of lanes."""
        parts = [memory.tensor_split(self._groups, _LANE_OF_MEMORY) for memory in state]
        return [tuple(part[group] for part in parts) for group in range(self._groups)]

    def join(self, found: Sequence[tuple[LaneMaps, State]]) -> tuple[LaneMaps, State]:
        """Maps and memories of all lanes."""
        maps = zip(*(maps for maps, _ in found), strict=True)
        memories = zip(*(memories for _, memories in found), strict=True)
        return (
            tuple(_concatenate(parts, _LANE_OF_MAPS) for parts in maps),
            tuple(_concatenate(parts, _LANE_OF_MEMORY) for parts in memories),
        )

    def split_gradients(self, gradients: Sequence[Tensor | None]) -> list[list[Tensor | None]]:
        """Gradients of the outputs of each group."""
        lanes = [
            _LANE_OF_MAPS if i < self.num_maps else _LANE_OF_MEMORY for i in range(len(gradients))
        ]
        parts = [
            [None] * self._groups if whole is None else whole.tensor_split(self._groups, lane)
            for whole, lane in zip(gradients, lanes, strict=True)
        ]
        return [[part[group] for part in parts] for group in range(self._groups)]


class _Joined(torch.autograd.Function):
    """Runs the backward pass of each group of lanes in its own thread, too."""

    @staticmethod
    def forward(ctx: Any, call: _Call, num_memories: int, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401  # PyTorch does not export its type
        state, weights = tensors[:num_memories], tensors[num_memories:]
        kept = tuple(memory.detach().requires_grad_(memory.requires_grad) for memory in state)
        with torch.enable_grad():
            call.inputs = call.split_state(kept)
            found = call.run_groups(kept)
        maps, memories = call.join([_detached(each) for each in found])
        call.num_maps = len(maps)
        call.outputs = [maps + memories for maps, memories in found]
        ctx.call, ctx.kept, ctx.weights = call, kept, weights
        ctx.set_materialize_grads(False)
        return maps + memories

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        call, wanted = ctx.call, [*ctx.kept, *ctx.weights]
        learning = [tensor for tensor in wanted if tensor.requires_grad]
        split = call.split_gradients(gradients)
        of_groups = in_threads(
            _go_back,
            [
                (outputs, given, learning)
                for outputs, given in zip(call.outputs, split, strict=True)
            ],
        )
        ctx.call = None  # frees what the threads computed
        found = iter(_split(sum(of_groups[1:], of_groups[0]), learning))
        return (None, None, *(next(found) if each.requires_grad else None for each in wanted))


def _go_back(
    outputs: Sequence[Tensor], gradients: Sequence[Tensor | None], learning: Sequence[Tensor]
) -> Float[Tensor, " values"]:
    """Gradients of all learning tensors in one vector, so that one addition joins two groups."""
    pairs = [
        (output, gradient)
        for output, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and output.requires_grad
    ]
    found = torch.autograd.grad(
        [output for output, _ in pairs],
        learning,
        [given for _, given in pairs],
        allow_unused=True,
        materialize_grads=True,
    )
    return torch.cat([gradient.flatten() for gradient in found])


def _split(
    values: Float[Tensor, " values"], like: Sequence[Tensor]
) -> Iterator[Float[Tensor, "..."]]:
    """The parts of `values`, each of the shape of one of `like`."""
    parts = values.split([each.numel() for each in like])
    return (part.view_as(each) for part, each in zip(parts, like, strict=True))


def _detached(found: tuple[LaneMaps, State]) -> tuple[LaneMaps, State]:
    maps, memories = found
    return tuple(each.detach() for each in maps), tuple(each.detach() for each in memories)


def _concatenate(parts: Sequence[Tensor], lane: int) -> Tensor:
    """All lanes together; channels-last maps stay channels-last."""
    if parts[0].ndim < -_CHANNEL + 1:
        return torch.cat(list(parts), lane)
    return torch.cat([part.movedim(_CHANNEL, -1) for part in parts], lane).movedim(-1, _CHANNEL)


def in_threads(function: Callable[..., Result], calls: Sequence[tuple[Any, ...]]) -> list[Result]:
    """Results of a function for each set of arguments, each computed in its own thread."""
    threads = _threads(len(calls), max(1, cores_in_use() // len(calls)))
    mode = _Mode()
    futures = [threads.submit(mode.call, function, *arguments) for arguments in calls]
    return [future.result() for future in futures]


class _Mode:
    """Gradient and precision modes of the current thread, which new threads do not inherit."""

    def __init__(self) -> None:
        self._is_inference = torch.is_inference_mode_enabled()
        self._with_gradient = torch.is_grad_enabled()
        self._is_autocast = torch.is_autocast_enabled("cpu")
        self._dtype = torch.get_autocast_dtype("cpu")

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        with self._entered():
            return function(*arguments)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with ExitStack() as modes:
            modes.enter_context(torch.inference_mode(self._is_inference))
            modes.enter_context(torch.set_grad_enabled(self._with_gradient))
            modes.enter_context(torch.autocast("cpu", self._dtype, enabled=self._is_autocast))
            yield


@lru_cache(1)
def _threads(number: int, cores_of_each: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        number, "lanes", initializer=torch.set_num_threads, initargs=(cores_of_each,)
    )
