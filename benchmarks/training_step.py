"""One measurement of `benchmarks/training.py`, in a process of its own.

In a separate process, peak memory is that of the measurement alone.
"""

import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from benchmarks.plain import plain_losses
from benchmarks.time_by_part import TimeByPart
from numcodecs import blosc
from omegaconf import OmegaConf
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from etram_pipeline.clips.loading import Loader
from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.inference.predict import arithmetic
from etram_pipeline.models.detector import Losses, State, total_loss
from etram_pipeline.models.detectors import DetectorConfig, rvt
from etram_pipeline.models.execution import Execution
from etram_pipeline.training.optimizer import build_optimizer
from etram_pipeline.training.optimizers import adamw

PRESETS = Path(__file__).parents[1] / "conf/presets"
CHANNELS, NUM_CLASSES, BOXES_PER_FRAME = 20, 8, 12
FILLED = 0.05
"""Share of the cells of a representation that hold events."""

WARM_UP = 2
"""Steps not counted: they also choose algorithms and fill caches."""

Way = Literal["plain", "steps", "stages", "auto"]
Reading = Literal["none", "thread", "process"]


@dataclass(frozen=True)
class Case:
    """What to measure.

    `way` is the plain execution, or the engine's in one of its orders; `reading` says what
    decompresses the next batches meanwhile.
    """

    size: str
    windows: int
    lanes: int
    height: int
    width: int
    way: Way
    precision: Literal["32", "bf16-mixed", "16-mixed"]
    compiled: bool
    recomputed: bool
    device: str
    threads: int
    steps: int
    profiled: bool = False
    reading: Reading = "none"


@dataclass(frozen=True)
class Measurement:
    """Results per step, over all measured steps."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    losses: dict[str, float]
    share_of_part: dict[str, float]


Step = Callable[[], dict[str, float]]


def main() -> None:
    """Print the measurement of the case that the first argument describes."""
    case = Case(**json.loads(sys.argv[1]))
    torch.set_num_threads(case.threads)
    torch.set_float32_matmul_precision("high")  # as training does; of importance to GPUs only
    print(json.dumps(asdict(measure(case))))


def measure(case: Case) -> Measurement:
    """Train on the same batch repeatedly, with the state carried on."""
    torch.manual_seed(0)
    detector = read_preset(case.size).build(CHANNELS, NUM_CLASSES).to(case.device).train()
    batch = make_batch(case.windows, case.lanes, case.height, case.width).to(case.device)
    step = make_step(case, detector, batch)
    before = held_megabytes(case.device)
    losses = step()  # with weights as they were drawn
    for _ in range(WARM_UP - 1):
        step()
    seconds, cpu_seconds = [], []
    for _ in range(case.steps):
        synchronize(case.device)
        elapsed, used = time.perf_counter(), time.process_time()
        step()
        synchronize(case.device)
        seconds.append(time.perf_counter() - elapsed)
        cpu_seconds.append(time.process_time() - used)
    peak = peak_megabytes(case.device) - before
    shares = TimeByPart(detector, case.device).measure(step) if case.profiled else {}
    return Measurement(
        statistics.median(seconds), statistics.median(cpu_seconds), peak, losses, shares
    )


def make_step(case: Case, detector: rvt.RVT, batch: SequenceBatch) -> Step:
    """A function that trains for one step and returns the losses before it."""
    optimizer, _ = build_optimizer(detector, adamw.Config(), max_steps=1000)
    if case.way != "plain":
        detector.execute_with(
            Execution(order=case.way, compile=case.compiled, checkpoint_activations=case.recomputed)
        )
    state: State = ()
    read = batches(batch, case)

    def losses_of(clip: SequenceBatch, before: State) -> tuple[Losses, State]:
        if case.way == "plain":
            return plain_losses(detector, clip, before)
        return detector.losses(clip, before)

    def step() -> dict[str, float]:
        nonlocal state
        clip = next(read)
        with arithmetic(torch.device(case.device), case.precision):
            losses, state = losses_of(clip, tuple(memory.detach() for memory in state))
        with torch.profiler.record_function("part:loss"):
            total = total_loss(losses)
        total.backward()
        with torch.profiler.record_function("part:optimizer"):
            torch.nn.utils.clip_grad_value_(detector.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return {name: loss.detach().item() for name, loss in losses.items()}

    return step


class CompressedBatch(Dataset[Any]):
    """A batch whose frames are compressed as a store has them; every item is that batch."""

    def __init__(self, batch: SequenceBatch) -> None:
        self._batch = batch
        self._chunks = [
            blosc.compress(image, b"zstd", 1, blosc.NOSHUFFLE, 2**20)
            for image in batch.frames.flatten(0, 1).numpy()
        ]

    @override
    def __getitem__(self, _index: int) -> SequenceBatch:
        frames = torch.empty_like(self._batch.frames)
        blosc.use_threads = False
        for chunk, image in zip(self._chunks, frames.flatten(0, 1).numpy(), strict=True):
            blosc.decompress(chunk, image)
        return replace(self._batch, frames=frames)


def batches(batch: SequenceBatch, case: Case) -> Iterator[SequenceBatch]:
    """The same batch for every step, read beside the computing if the case says so."""
    if case.reading == "none":
        return itertools.repeat(batch)
    workers = 1 if case.reading == "process" else 0
    steps = range(WARM_UP + case.steps)
    data = CompressedBatch(batch)
    return iter(Loader(DataLoader(data, batch_size=None, sampler=steps, num_workers=workers)))


def read_preset(size: str) -> rvt.Config:
    """Settings of the detector of one size."""
    family = OmegaConf.create({"detector": {"kind": "rvt", "backbone": {"kind": "maxvit"}}})
    merged = OmegaConf.merge(family, OmegaConf.load(PRESETS / f"rvt_{size}.yml"))
    config = DetectorConfig.model_validate(OmegaConf.to_container(merged.detector))
    if not isinstance(config, rvt.Config):
        raise TypeError(f"rvt_{size} is not a preset of RVT")
    return config


def make_batch(windows: int, lanes: int, height: int, width: int) -> SequenceBatch:
    """Sparse counts, and boxes of several sizes and classes in every second window."""
    shape = (lanes, CHANNELS, height, width)
    frames = torch.empty(windows, *shape, dtype=torch.uint8)
    for window in frames:  # one at a time, so that drawing them is not the peak of memory
        counts = torch.randint(1, 10, shape, dtype=torch.uint8)
        window.copy_(counts * (torch.rand(shape) < FILLED))
    keyframes = torch.cartesian_prod(
        torch.arange(min(1, windows - 1), windows, 2), torch.arange(lanes)
    )
    corner = torch.rand(BOXES_PER_FRAME, 2) * torch.tensor([width, height]) / 2
    size = torch.rand(BOXES_PER_FRAME, 2) * 60 + 8
    target = Targets(
        torch.cat([corner, corner + size], 1), torch.arange(BOXES_PER_FRAME) % NUM_CLASSES
    )
    starts = torch.zeros(lanes, dtype=torch.bool)
    return SequenceBatch(frames, starts, keyframes, (target,) * len(keyframes))


def synchronize(device: str) -> None:
    """Wait until the device has finished."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def held_megabytes(device: str) -> float:
    """Memory used before the measurement by the interpreter and libraries; 0 for a GPU."""
    if device != "cpu":
        return 0
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_megabytes(device: str) -> float:
    """Peak memory so far of the device or of this process."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    main()
