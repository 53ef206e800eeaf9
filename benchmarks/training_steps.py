"""Speed of training by size of the detector.

    python benchmarks/training_steps.py                       # nano at 192x320, on what there is
    python benchmarks/training_steps.py --sizes tiny base --height 360 --width 640 --lanes 12
    python benchmarks/training_steps.py --precisions 32 bf16-mixed --threads 1 2

A step is what training does between two reads: losses, gradients and an AdamW update over a batch
of lanes and windows, every second window labelled with twelve boxes. Sizes are those of
`conf/presets`. CPU seconds count where others use the machine too.
"""

import argparse
import os
import platform
import resource
import time
from itertools import product
from pathlib import Path
from typing import get_args

import torch
from omegaconf import OmegaConf

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.detector import State
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.optimizer import build_optimizer
from etram_pipeline.training.predict import arithmetic
from etram_pipeline.training.settings import OptimizerSettings, Precision
from etram_pipeline.training.trainer import resolve_precision

PRESETS = Path(__file__).parents[1] / "conf/presets"
CHANNELS, NUM_CLASSES, BOXES_PER_FRAME = 20, 8, 12
FILLED = 0.05
"""Share of the cells of a representation that hold events."""

WARM_UP = 2
"""Steps not counted: they also choose algorithms and fill caches."""


def main() -> None:
    """Print one line per size, precision and number of threads."""
    arguments = parse_arguments()
    device = torch.device(arguments.device)
    print(f"{hardware(device)}, PyTorch {torch.__version__}")
    print(f"batches of {arguments.lanes} x {arguments.windows} windows, ", end="")
    print(f"{CHANNELS} x {arguments.height} x {arguments.width}")
    print("size    parameters  precision   threads  seconds/step  steps/s  CPU s/step  peak MB")
    for size, precision, threads in product(
        arguments.sizes, arguments.precisions, arguments.threads
    ):
        torch.set_num_threads(threads)
        measure(size, precision, arguments, device)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["nano"], choices=preset_sizes())
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--precisions", nargs="+", default=["auto"], choices=get_args(Precision))
    parser.add_argument("--threads", nargs="+", type=int, default=[torch.get_num_threads()])
    parser.add_argument("--device", default="cuda" if gpu else "cpu")
    return parser.parse_args()


def preset_sizes() -> list[str]:
    """Names of the sizes there are presets of."""
    return sorted(path.stem.removeprefix("rvt_") for path in PRESETS.glob("rvt_*.yml"))


def read_preset(size: str) -> DetectorConfig:
    """Settings of the detector of one size."""
    family = OmegaConf.create({"detector": {"kind": "rvt", "backbone": {"kind": "maxvit"}}})
    merged = OmegaConf.merge(family, OmegaConf.load(PRESETS / f"rvt_{size}.yml"))
    return DetectorConfig.model_validate(OmegaConf.to_container(merged.detector))


def measure(
    size: str, precision: Precision, arguments: argparse.Namespace, device: torch.device
) -> None:
    """Print the line of one size."""
    torch.manual_seed(0)
    detector = read_preset(size).build(CHANNELS, NUM_CLASSES)
    detector = detector.to(device).train()
    optimizer, _ = build_optimizer(detector, OptimizerSettings(), max_steps=1000)
    batch = make_batch(arguments).to(device)
    resolved = resolve_precision(precision, on_gpu=device.type == "cuda")
    state: State = ()
    seconds, processor_seconds = 0.0, 0.0
    for step in range(WARM_UP + arguments.steps):
        if step == WARM_UP:
            synchronize(device)
            seconds, processor_seconds = time.perf_counter(), time.process_time()
        with arithmetic(device, resolved):
            losses, state = detector.losses(batch, tuple(memory.detach() for memory in state))
        torch.stack(
            [v for name, v in losses.items() if not name.startswith("num_")]
        ).sum().backward()
        torch.nn.utils.clip_grad_value_(detector.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    synchronize(device)
    seconds = (time.perf_counter() - seconds) / arguments.steps
    processor_seconds = (time.process_time() - processor_seconds) / arguments.steps
    num_parameters = sum(parameter.numel() for parameter in detector.parameters())
    print(
        f"{size:6} {num_parameters:11,}  {resolved:10} {torch.get_num_threads():8} {seconds:13.3f} "
        f"{1 / seconds:8.2f} {processor_seconds:11.2f} {peak_megabytes(device):8.0f}"
    )


def make_batch(arguments: argparse.Namespace) -> SequenceBatch:
    """Sparse counts, and boxes of several sizes and classes."""
    shape = (arguments.windows, arguments.lanes, CHANNELS, arguments.height, arguments.width)
    frames = ((torch.rand(shape) < FILLED) * torch.randint(1, 10, shape)).to(torch.uint8)
    keyframes = torch.cartesian_prod(
        torch.arange(1, max(arguments.windows, 2), 2), torch.arange(arguments.lanes)
    )
    corner = torch.rand(BOXES_PER_FRAME, 2) * torch.tensor([arguments.width, arguments.height]) / 2
    size = torch.rand(BOXES_PER_FRAME, 2) * 60 + 8
    target = Targets(
        torch.cat([corner, corner + size], 1), torch.arange(BOXES_PER_FRAME) % NUM_CLASSES
    )
    return SequenceBatch(
        frames,
        torch.zeros(arguments.lanes, dtype=torch.bool),
        keyframes,
        (target,) * len(keyframes),
    )


def synchronize(device: torch.device) -> None:
    """Wait for what the device still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_megabytes(device: torch.device) -> float:
    """Most memory taken so far, of the device or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def hardware(device: torch.device) -> str:
    """What it runs on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    names = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
