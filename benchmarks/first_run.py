"""Time of the first default run, node by node.

    python -m benchmarks.first_run                         # three seeds, a fresh folder for each
    python -m benchmarks.first_run --seeds 0 --plain-cpu   # without AVX-512 and bfloat16
    python -m benchmarks.first_run --seeds 0 --against v0.1.0   # the ratio to another commit

Each run is a `kedro run` in a copy of the project without data. Wall time covers the whole command.
CPU time and memory are summed over all processes; shared memory counts once (PSS), and memory is
sampled every two seconds. With `--against`, the runs of both versions alternate.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hardware import describe_cpu

PROJECT = Path(__file__).parents[1]

PLAIN_CPU = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
"""Restricts oneDNN, PyTorch and MKL to the instructions of processors before 2017."""

IN_FLOAT32 = 'train: {precision: "32"}\npredict: {precision: "32"}\n'
"""The choice of `auto` there. Earlier versions ignored that instructions were switched off."""

HEADLINE = "etram_8class"
PAUSE_S = 2.0
"""Reading the memory of a training process takes 40 ms and blocks it."""


@dataclass(frozen=True)
class FirstRun:
    """Time of one run in seconds, memory in GB, and metrics."""

    wall_s: float
    cpu_s: float
    peak_gb: float
    seconds_of_node: dict[str, float]
    ap50: float
    ap: float

    @property
    def between_s(self) -> float:
        """Wall time outside the nodes: start, MLflow, end."""
        return self.wall_s - sum(self.seconds_of_node.values())

    @property
    def cores(self) -> float:
        """Average number of cores in use."""
        return self.cpu_s / self.wall_s


def main() -> None:
    """Print the table."""
    arguments = parse_arguments()
    print(f"{describe_cpu()}{', as one without AVX-512' if arguments.plain_cpu else ''}")
    versions = [None, arguments.against] if arguments.against else [None]
    found: dict[str, FirstRun] = {}
    for seed in arguments.seeds:
        for version in versions:
            name = f"seed {seed}" + (f" of {version}" if version else "")
            found[name] = run_once(seed, version, plain_cpu=arguments.plain_cpu)
    report(found)
    if arguments.against:
        for seed in arguments.seeds:
            now, then = found[f"seed {seed}"], found[f"seed {seed} of {arguments.against}"]
            print(
                f"seed {seed}: {then.wall_s / now.wall_s:.2f} times as fast as "
                f"{arguments.against}, with {now.cpu_s / then.cpu_s:.0%} of the CPU time"
            )


def parse_arguments() -> argparse.Namespace:
    """Command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--plain-cpu", action="store_true", help="neither AVX-512 nor bfloat16")
    parser.add_argument("--against", help="commit to compare with, such as a tag")
    return parser.parse_args()


def run_once(seed: int, version: str | None, *, plain_cpu: bool) -> FirstRun:
    """The default run of this version, or of a commit, in a separate folder."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        copy_project(project, version)
        environment = PLAIN_CPU if plain_cpu else {}
        if plain_cpu:
            (project / "conf/local/parameters.yml").write_text(IN_FLOAT32)
        began = time.perf_counter()
        cpu_s, peak = kedro_run(project, ["--params", f"train.seed={seed}"], environment)
        wall_s = time.perf_counter() - began
        overall = read_json(project / "data/08_reporting/metrics.json")[HEADLINE]["overall"]
        (seconds,) = project.glob("mlruns/**/seconds_by_node/*.json")
        return FirstRun(wall_s, cpu_s, peak, read_json(seconds), overall["AP_50"], overall["AP"])


def kedro_run(
    project: Path, options: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """CPU seconds and peak memory in GB of one `kedro run`, all processes together."""
    used, told = cpu_seconds(), project.with_suffix(".txt")
    with told.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", *options],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(project / "src"), **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak_gb = watch_memory(process)
    if process.returncode:
        raise RuntimeError(told.read_text()[-5000:])
    return cpu_seconds() - used, peak_gb


def copy_project(folder: Path, version: str | None) -> None:
    """Copy a commit as `git clone` would, or this folder without the results of runs."""
    if version is None:
        ignored = shutil.ignore_patterns(
            "data", "mlruns", "*.db", "*.log", ".*", "__pycache__", "*.egg-info"
        )
        shutil.copytree(PROJECT, folder, ignore=ignored)
    else:
        folder.mkdir()
        archive = subprocess.run(
            ["git", "archive", version], cwd=PROJECT, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    (folder / ".telemetry").write_text("consent: false\n")


def watch_memory(process: "subprocess.Popen[bytes]") -> float:
    """Wait for a process; the peak memory of it and its descendants together, in GB."""
    most = 0.0
    while process.poll() is None:
        most = max(most, sum(map(memory_gb, family(process.pid))))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PAUSE_S)
    return most


def family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from family(int(child))


def memory_gb(pid: int) -> float:
    """Memory of a process, with shared memory in proportion (PSS); 0 after it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1e6
    return 0.0


def cpu_seconds() -> float:
    """CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_json(path: Path) -> Any:  # noqa: ANN401  # whatever it holds
    """Content of a JSON file."""
    return json.loads(path.read_text())


def report(found: dict[str, FirstRun]) -> None:
    """Print a row per node and a column per run."""
    print(f"{'seconds':42}" + "".join(f"{name:>16}" for name in found))
    for node in dict.fromkeys(node for run in found.values() for node in run.seconds_of_node):
        times = [run.seconds_of_node.get(node, 0.0) for run in found.values()]
        print(f"{node:42}" + "".join(f"{seconds:16.1f}" for seconds in times))
    rows = {
        "start, end and everything between": "{0.between_s:16.1f}",
        "whole run": "{0.wall_s:16.1f}",
        "CPU time": "{0.cpu_s:16.1f}",
        "cores in use": "{0.cores:16.2f}",
        "peak memory, GB": "{0.peak_gb:16.2f}",
        f"test AP ({HEADLINE})": "{0.ap:16.3f}",
        f"test AP50 ({HEADLINE})": "{0.ap50:16.3f}",
    }
    for name, form in rows.items():
        print(f"{name:42}" + "".join(form.format(run) for run in found.values()))


if __name__ == "__main__":
    main()
