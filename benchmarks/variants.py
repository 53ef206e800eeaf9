"""Metrics of presets on the embedded scene, over several seeds.

    python -m benchmarks.variants                             # three presets, three seeds each
    python -m benchmarks.variants --presets plain_lstm class_balanced --seeds 0 1 --jobs 2

Each training run is a `kedro run` in its own copy of the project, on recordings that are simulated
and preprocessed once. The copies are kept in `--folder`, so that an interrupted comparison
continues. Metrics are those of the `test` recordings under the first protocol of `evaluate`; the
spread is the standard deviation over the seeds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev

PROJECT = Path(__file__).parents[1]
PREPROCESSED = ("01_raw", "02_intermediate", "03_primary")
METRICS = ("AP", "AP_50", "AP_S", "AP_M", "AP_L")


@dataclass(frozen=True)
class Experiment:
    """One training and its scores."""

    preset: str
    seed: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.preset}-{self.seed}"


def main() -> None:
    """Train everything, then print one line per preset."""
    arguments = parse_arguments()
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="variants-"))
    print(f"trainings of {arguments.steps} steps in {folder}", flush=True)
    scene = copy_project(folder / "scene")
    kedro_run(scene, "preprocess", "mlflow=false")
    experiments = [Experiment(*pair) for pair in product(arguments.presets, arguments.seeds)]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        scores = list(pool.map(lambda one: train(one, folder, scene, arguments.steps), experiments))
    found = dict(zip(experiments, scores, strict=True))
    print("| preset | " + " | ".join(METRICS) + " |")
    print("|---" * (1 + len(METRICS)) + "|")
    for preset in arguments.presets:
        rows = [score for one, score in found.items() if one.preset == preset]
        print(f"| `{preset}` | " + " | ".join(summary(rows, name) for name in METRICS) + " |")


def parse_arguments() -> argparse.Namespace:
    """What to compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--presets",
        nargs="+",
        default=["3scale_baseline", "4scale_enhanced", "3scale_sizeaware"],
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder")
    return parser.parse_args()


def copy_project(target: Path) -> Path:
    """A copy of what a run needs, without any data, unless it is there already."""
    if not target.exists():
        for name in ("conf", "src"):
            shutil.copytree(PROJECT / name, target / name)
        shutil.copy(PROJECT / "pyproject.toml", target)
    return target


def copy_preprocessed(target: Path, scene: Path) -> Path:
    """A copy of the project that reads the recordings which another copy has preprocessed."""
    project = copy_project(target)
    (project / "data").mkdir(exist_ok=True)
    for name in PREPROCESSED:
        link = project / "data" / name
        if not link.is_symlink():
            link.symlink_to(scene / "data" / name)
    return project


def train(experiment: Experiment, folder: Path, scene: Path, steps: int) -> dict[str, float]:
    """Overall metrics of one experiment."""
    project = copy_preprocessed(folder / experiment.name, scene)
    options = (
        f"preset={experiment.preset},train.seed={experiment.seed},train.max_steps={steps},"
        f"train.validation.every_steps={steps},train.workers=0,mlflow=false"
    )
    kedro_run(project, "train,predict,evaluate", options)
    overall = overall_metrics(project)
    print(f"{experiment.name}: AP {overall['AP']:.3f}", flush=True)
    return overall


def overall_metrics(project: Path) -> dict[str, float]:
    """Metrics by the first protocol of a project that has been evaluated."""
    metrics = json.loads((project / "data/08_reporting/metrics.json").read_text())
    overall: dict[str, float] = next(iter(metrics.values()))["overall"]
    return overall


def kedro_run(project: Path, pipelines: str, parameters: str) -> float:
    """CPU seconds of a `kedro run` in a project; stops with its output if it fails."""
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", pipelines]
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*command, "--params", parameters],
            cwd=project,
            env=os.environ | threads,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(output.read()[-8000:])
    return usage.ru_utime + usage.ru_stime


def summary(rows: list[dict[str, float]], name: str) -> str:
    """Mean and spread of a metric."""
    values = [row[name] for row in rows]
    spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


if __name__ == "__main__":
    main()
