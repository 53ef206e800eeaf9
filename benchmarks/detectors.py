"""A training step, detection and memory of every family of detectors, as ratios to RVT-Tiny.

    python -m benchmarks.detectors                             # every family, 2 frames of 360 x 640
    python -m benchmarks.detectors --only rvt_tiny "yolox lcnet_050" --precision bf16-mixed
    python -m benchmarks.detectors --plain-cpu                 # without AVX-512 and bfloat16

Each detector is measured in a process of its own, in one run of this script. A training step is
losses, gradients and an update of the weights for one batch of random counts and boxes. Detection
is per frame, in evaluation mode, with random weights: a network that has learnt finds fewer boxes
to suppress. Times are processor time, which other work on the machine changes less than wall time.
Memory is what the process holds at most, beyond what it held before the first step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from benchmarks.first_run import PLAIN_CPU
from benchmarks.hardware import describe_cpu
from benchmarks.training_step import (
    CHANNELS,
    NUM_CLASSES,
    held_megabytes,
    make_batch,
    peak_megabytes,
    read_preset,
)
from jaxtyping import Shaped
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.inference.predict import arithmetic
from etram_pipeline.inference.window_time import seconds_of_windows
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector, total_loss
from etram_pipeline.models.detectors import DetectorConfig

ANCHORS = {"sizes": ((8, 12, 16), (24, 32, 40), (48, 64, 80), (96, 128, 160), (192, 224, 256))}
MEMORY = {"cell": {"kind": "conv_lstm"}}
DETECTORS: dict[str, dict[str, object]] = {
    "rvt_tiny": read_preset("tiny").model_dump(serialize_as_any=True),
    "rvt_nano": read_preset("nano").model_dump(serialize_as_any=True),
    "yolox cs3darknet_s": {"kind": "yolox"},
    "yolox lcnet_050": {"kind": "yolox", "backbone": "lcnet_050"},
    "faster_rcnn resnet18": {"kind": "faster_rcnn", "backbone": "resnet18", "anchors": ANCHORS},
    "faster_rcnn resnet50": {"kind": "faster_rcnn", "backbone": "resnet50", "anchors": ANCHORS},
    "rf_detr nano": {"kind": "rf_detr", "size": "nano"},
    "rf_detr medium": {"kind": "rf_detr", "size": "medium"},
    "rtdetr resnet18": {"kind": "rtdetr"},
    "rtdetr resnet18, memory": {"kind": "rtdetr", "memory": MEMORY},
    "rtdetr resnet50": {"kind": "rtdetr", "backbone": "resnet50"},
}
REFERENCE = "rvt_tiny"


@dataclass(frozen=True)
class Measurement:
    """One detector in numbers."""

    parameters: int
    step_s: float
    frame_s: float
    peak_megabytes: float


def main() -> None:
    """Print the table, or one measurement in a process of its own."""
    arguments = parse_arguments()
    if arguments.measure:
        print(json.dumps(asdict(measure(DETECTORS[arguments.measure], arguments))))
        return
    print(f"{describe_cpu()}{', as one without AVX-512' if arguments.plain_cpu else ''}")
    size = f"{arguments.frames} frames of {arguments.height} x {arguments.width} px"
    print(f"{size}, {arguments.threads} threads, {arguments.precision}")
    print(
        "| detector | parameters | training step | ratio | detection, one window | ratio | memory |"
    )
    print("|---" * 7 + "|")
    names = dict.fromkeys([REFERENCE, *arguments.only])
    reference = None
    for name in names:
        found = measure_apart(name, arguments)
        reference = reference or found
        print(row(name, found, reference), flush=True)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--precision", choices=("32", "bf16-mixed"), default="32")
    parser.add_argument("--plain-cpu", action="store_true")
    parser.add_argument("--measure", choices=DETECTORS, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_apart(name: str, arguments: argparse.Namespace) -> Measurement:
    """The measurement of a detector in a process of its own."""
    numbers = ("frames", "height", "width", "threads", "steps", "precision")
    options = [f"--{key}={getattr(arguments, key)}" for key in numbers]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.detectors", "--measure", name, *options],
        env=os.environ | (PLAIN_CPU if arguments.plain_cpu else {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Measurement(**json.loads(done.stdout))


def measure(settings: dict[str, object], arguments: argparse.Namespace) -> Measurement:
    """Train and detect on the same batch repeatedly."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    detector = DetectorConfig.model_validate(settings).build(CHANNELS, NUM_CLASSES)
    batch = make_batch(1, arguments.frames, arguments.height, arguments.width)
    before = held_megabytes("cpu")
    with arithmetic(torch.device("cpu"), arguments.precision):
        step_s = median_s(training_step(detector.train(), batch), arguments.steps)
    peak = peak_megabytes("cpu") - before
    with torch.inference_mode(), arithmetic(torch.device("cpu"), arguments.precision):
        detector.eval()
        pass_s = median_s(
            lambda: detector.detect(batch, (), SuppressionSettings()), arguments.steps
        )
    return Measurement(
        parameters=sum(weight.numel() for weight in detector.parameters()),
        step_s=step_s,
        frame_s=pass_s / arguments.frames,
        peak_megabytes=peak,
    )


def training_step(detector: Detector, batch: SequenceBatch) -> Callable[[], object]:
    """A function that trains for one step."""
    optimizer = torch.optim.AdamW(detector.parameters(), lr=1e-5, fused=True)

    def step() -> None:
        losses, _ = detector.losses(batch, ())
        total_loss(losses).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def frames_per_second(detector: Detector, windows: Shaped[Tensor, "T C H W"]) -> float:
    """Windows of one recording that are detected in a second of processor time, one by one."""
    return 1 / statistics.median(seconds_of_windows(detector, windows))


def median_s(function: Callable[[], object], times: int) -> float:
    """Median of the CPU seconds of a call, after one that is not counted."""
    function()
    seconds = []
    for _ in range(times):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def row(name: str, found: Measurement, reference: Measurement) -> str:
    """Line of the table for one detector."""
    cells = [
        f"`{name}`",
        f"{found.parameters / 1e6:.1f} M",
        f"{found.step_s:.2f} s",
        f"{found.step_s / reference.step_s:.2f}",
        f"{1000 * found.frame_s:.0f} ms",
        f"{found.frame_s / reference.frame_s:.2f}",
        f"{found.peak_megabytes / 1024:.2f} GB",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
