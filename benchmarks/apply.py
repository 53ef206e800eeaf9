"""CPU time and memory of `apply` on a short recording, where the start of the run dominates.

    python -m benchmarks.apply street.raw detector.ckpt
    python -m benchmarks.apply street.raw detector.ckpt --against v0.1.0   # beside another commit

Each run is a `kedro run` in a copy of the project without data. The first run of each version fills
caches and creates MLflow's database; it is not counted. With `--against`, the versions alternate.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks.first_run import copy_project, kedro_run
from benchmarks.hardware import describe_cpu


def main() -> None:
    """Print the median of each version."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", help="commit to compare with, such as a tag")
    arguments = parser.parse_args()
    print(describe_cpu())
    paths = f"recording={arguments.recording.resolve()},checkpoint={arguments.checkpoint.resolve()}"
    versions = [None, arguments.against] if arguments.against else [None]
    with tempfile.TemporaryDirectory() as folder:
        projects = {version or "now": Path(folder) / (version or "now") for version in versions}
        for version, project in zip(versions, projects.values(), strict=True):
            copy_project(project, version)
            apply(project, paths)
        found = [
            [apply(project, paths) for project in projects.values()] for _ in range(arguments.runs)
        ]
    for name, runs in zip(projects, zip(*found, strict=True), strict=True):
        cpu_s, peak_gb = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"{name:20}{cpu_s:8.1f} s of CPU{peak_gb:8.2f} GB")


def apply(project: Path, paths: str) -> tuple[float, float]:
    """CPU seconds and peak memory in GB of one run, all processes together."""
    shutil.rmtree(project / "data/recording", ignore_errors=True)
    options = ["--env", "recording", "--pipelines", "apply", "--params", paths]
    return kedro_run(project, options)


if __name__ == "__main__":
    main()
