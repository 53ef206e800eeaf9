"""Speed and memory of training, compared with a straightforward implementation.

    python -m benchmarks.training                             # takes an hour on two cores
    python -m benchmarks.training --sizes nano tiny --windows 5 --repetitions 2
    python -m benchmarks.training --sizes tiny --height 360 --width 640 --lanes 8 --compile
    python -m benchmarks.training --sizes tiny --profile      # where the time goes
    python -m benchmarks.training --store data/03_primary     # time spent waiting for clips

A step consists of losses, gradients and an AdamW update over a batch of lanes and windows, in which
every second window is labelled with twelve boxes; reading clips is not included. The baseline is
`benchmarks/plain.py`, in float32. Ratios are ratios of medians. The variants alternate, each time
in a new process, so that other load on the machine affects all of them equally and peak memory is
measured separately. On a shared machine, compare CPU seconds.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from statistics import median

import torch
from benchmarks.hardware import describe_cpu
from benchmarks.training_data import share_of_waiting
from benchmarks.training_step import PRESETS, Case, Measurement

from etram_pipeline.models.hardware import resolve_precision

PROJECT = Path(__file__).parents[1]
SIZES = ("nano", "tiny", "small", "base")
TOLERANCE = {"32": 1e-4, "bf16-mixed": 5e-2, "16-mixed": 5e-3}
"""Greatest relative difference of the first losses from those of the plain execution."""


def main() -> None:
    """Print one line per size, clip length and way to train."""
    arguments = parse_arguments()
    on_cpu = arguments.device == "cpu"
    device = describe_cpu() if on_cpu else torch.cuda.get_device_name(arguments.device)
    print(f"{device}, PyTorch {torch.__version__}, ", end="")
    print(f"{arguments.threads} threads")
    print(f"batches of {arguments.lanes} lanes, 20 x {arguments.height} x {arguments.width}")
    if arguments.store:
        print(f"{share_of_waiting(arguments):.1%} of the time is spent waiting for clips")
        return
    print(
        f"size  windows  {'way':62} times as fast (CPU time)  s/step"
        "  CPU s/step  images/s  peak MB (of plain)"
    )
    for size, windows in product(arguments.sizes, arguments.windows):
        report(compare(list(cases(size, windows, arguments)), arguments.repetitions))


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, choices=preset_sizes())
    parser.add_argument("--windows", nargs="+", type=int, default=[5, 21], help="in a clip")
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--lanes", type=int, default=8 if gpu else 4)
    parser.add_argument("--steps", type=int, default=20 if gpu else 3, help="of each process")
    parser.add_argument("--repetitions", type=int, default=3, help="processes of each way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if gpu else "cpu")
    parser.add_argument("--compile", action="store_true", help="measure compiled ways too")
    parser.add_argument("--recompute", action="store_true", help="and activations computed twice")
    parser.add_argument("--profile", action="store_true", help="share of the engine's time by part")
    parser.add_argument("--store", type=Path, help="folder of representations and labels")
    return parser.parse_args()


def preset_sizes() -> list[str]:
    """Names of the sizes there are presets of."""
    return sorted(path.stem.removeprefix("rvt_") for path in PRESETS.glob("rvt_*.yml"))


def cases(size: str, windows: int, arguments: argparse.Namespace) -> Iterator[Case]:
    """The plain way first, then the engine's."""
    plain = Case(
        size=size,
        windows=windows,
        lanes=arguments.lanes,
        height=arguments.height,
        width=arguments.width,
        way="plain",
        precision="32",
        compiled=False,
        recomputed=False,
        device=arguments.device,
        threads=arguments.threads,
        steps=arguments.steps,
    )
    yield plain
    half = resolve_precision("auto", on_gpu=arguments.device != "cpu")
    for precision in dict.fromkeys(("32", half)):
        for way in ("steps", "stages"):
            usual = replace(plain, way=way, precision=precision, profiled=arguments.profile)
            yield usual
            if arguments.compile:
                yield replace(usual, compiled=True)
            if arguments.recompute:
                yield replace(usual, recomputed=True)
        if arguments.device == "cpu" and arguments.threads > 1:
            beside = replace(plain, way="auto", precision=precision)
            yield replace(beside, threads=arguments.threads - 1, reading="process")
            yield replace(beside, reading="process")
            yield replace(beside, reading="thread")


def compare(to_measure: list[Case], repetitions: int) -> dict[Case, list[Measurement]]:
    """Measurements of each case, the cases taking turns.

    Raises:
        ValueError: If a way computes other losses than the first.
    """
    found: dict[Case, list[Measurement]] = {case: [] for case in to_measure}
    for _ in range(repetitions):
        for case in to_measure:
            found[case].append(measure_apart(case))
            check_losses(case, found[case][-1].losses, found[to_measure[0]][0].losses)
    return found


def measure_apart(case: Case) -> Measurement:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training_step", json.dumps(asdict(case))]
    finished = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{describe(case)} failed:\n{finished.stderr}")
    return Measurement(**json.loads(finished.stdout.splitlines()[-1]))


def check_losses(case: Case, losses: dict[str, float], plain: dict[str, float]) -> None:
    """Refuse to compare the speed of what computes something else."""
    for name, expected in plain.items():
        if name.startswith("num_") and case.precision != "32":
            continue  # an anchor more or less is assigned
        if abs(losses[name] - expected) > TOLERANCE[case.precision] * abs(expected):
            raise ValueError(
                f"{describe(case)} has a {name} of {losses[name]}, the plain execution {expected}"
            )


def report(found: dict[Case, list[Measurement]]) -> None:
    """Print the lines of one size and clip length."""
    plain = next(iter(found.values()))
    for case, measured in found.items():
        seconds, cpu_seconds, peak = (
            median(getattr(m, name) for m in measured)
            for name in ("seconds", "cpu_seconds", "peak_megabytes")
        )
        ratio = median(m.seconds for m in plain) / seconds
        cpu_ratio = median(m.cpu_seconds for m in plain) / cpu_seconds
        memory = peak / median(m.peak_megabytes for m in plain)
        images = case.windows * case.lanes / seconds
        print(
            f"{case.size:5} {case.windows:7}  {describe(case):62} {ratio:13.2f} ({cpu_ratio:8.2f}) "
            f"{seconds:7.3f} {cpu_seconds:11.3f} {images:9.1f} {peak:8.0f} ({memory:8.2f})",
            flush=True,
        )
        shares = measured[-1].share_of_part.items()
        if shares:
            print("      " + ", ".join(f"{part} {share:.0%}" for part, share in shares))


def describe(case: Case) -> str:
    """Name of the way to train."""
    extras = [", compiled"] * case.compiled + [", recomputed"] * case.recomputed
    if case.reading != "none":
        extras.append(f", {case.threads} threads beside a {case.reading} that reads")
    order = case.way if case.way == "plain" else f"engine, {case.way}"
    return f"{order}, {case.precision}{''.join(extras)}"


if __name__ == "__main__":
    main()
