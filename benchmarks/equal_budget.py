"""Every family of detectors on the embedded scene, each trained for the same processor time.

    python -m benchmarks.equal_budget                                  # all families, three seeds
    python -m benchmarks.equal_budget --families rvt_nano yolox --seeds 0   # some of them
    python -m benchmarks.equal_budget --cpu-minutes 10 --jobs 2 --folder /tmp/budget

Each training run is a `kedro run` in its own copy of the project, on recordings that are simulated
and preprocessed once. Before the runs of a family, two short ones measure the processor time of a
step, and two more try a learning rate each, with a quarter of the budget; the better one on the
validation recordings is used. The budget covers training steps; the table lists the time of the
whole training command. The copies are kept in `--folder`, so that an interrupted comparison
continues. Metrics are those of the test recordings under the first protocol of `evaluate`; the
spread is the standard deviation over seeds.
"""

import argparse
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from threading import Lock

import torch
from benchmarks.detectors import frames_per_second
from benchmarks.hardware import describe_cpu
from benchmarks.variants import (
    copy_preprocessed,
    copy_project,
    kedro_run,
    overall_metrics,
    summary,
)
from torch import Tensor

from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.training.history import HISTORY, read_history

PROBES = (4, 16)
"""Steps of the two runs that give the processor time of a step."""

TRIAL_SHARE = 0.25
TRIAL_SEED = 100
COMMON = (
    "train.precision=32,train.workers=0,predict.precision=32,predict.splits=[test],"
    "predict.windows=labelled,mlflow=false"
)
METRICS = {"AP": "AP", "AP_50": "AP50", "AP_S": "AP small"}
DETECTOR = "data/06_models/detector.ckpt"
NUM_WINDOWS = 45


@dataclass(frozen=True)
class Family:
    """How a family is trained.

    Attributes:
        parameters: Parameters of its runs, as on the command line.
        rates: Learning rates to try.
        first: Family that is trained for half of the budget before, and whose weights it takes.
    """

    parameters: str
    rates: tuple[float, float] = (0.006, 0.002)
    first: str | None = None


FRAMES = "train.clip_length=1,train.lanes=4,train.sampling.kind=random"
ANCHORS = "[[8,12,16],[24,32,40],[48,64,80],[96,128,160],[192,224,256]]"
SLOW = (0.001, 0.0003)
FAMILIES = {
    "rvt_nano": Family("preset=rvt_nano"),
    "yolox": Family("preset=yolox"),
    "faster_rcnn": Family(
        "detector.kind=faster_rcnn,detector.backbone=resnet18,detector.fpn_channels=64,"
        "detector.head_dim=256,detector.proposals=300,detector.sampled_proposals=128,"
        f"detector.anchors.sizes={ANCHORS},{FRAMES}",
        SLOW,
    ),
    "rf_detr_nano": Family(
        "detector.kind=rf_detr,detector.size=nano,detector.input_size=[192,320],"
        f"detector.num_queries=100,{FRAMES}",
        SLOW,
    ),
    "rtdetr_frames": Family("preset=rtdetr_frames", SLOW),
    "rtdetr_memory": Family("preset=rtdetr_memory", SLOW, first="rtdetr_frames"),
}


@dataclass(frozen=True)
class Plan:
    """What a family trains with: its steps within the whole budget, and its learning rate."""

    steps: int
    rate: float


@dataclass(frozen=True)
class Trial:
    """What a learning rate reached: AP on the validation recordings, and the loss at the end."""

    rate: float
    ap: float
    loss: float
    cpu_s: float


@dataclass(frozen=True)
class Result:
    """What one training run reached."""

    scores: dict[str, float]
    frames_per_second: float
    parameters: int
    cpu_minutes: float


def main() -> None:
    """Train everything, then print one line per family."""
    arguments = parse_arguments()
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="equal-budget-")).resolve()
    torch.set_num_threads(1)
    print(f"{describe_cpu()}; {arguments.cpu_minutes:g} CPU minutes each; {folder}", flush=True)
    comparison = Comparison(folder, arguments.cpu_minutes * 60)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        plans = dict(
            zip(arguments.families, pool.map(comparison.plan, arguments.families), strict=True)
        )
        runs = [(name, seed) for seed in arguments.seeds for name in arguments.families]
        results = list(pool.map(lambda run: comparison.train(run[0], run[1], plans[run[0]]), runs))
    titles = [
        "detector",
        "parameters",
        "windows/s",
        "CPU min",
        "steps",
        "learning rate",
        *METRICS.values(),
    ]
    print(f"| {' | '.join(titles)} |")
    print("|---" * len(titles) + "|")
    for name in arguments.families:
        of_family = [one for run, one in zip(runs, results, strict=True) if run[0] == name]
        print(row(name, plans[name], of_family))


def parse_arguments() -> argparse.Namespace:
    """What to compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--cpu-minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder")
    return parser.parse_args()


class Comparison:
    """Training runs of equal processor time on the same preprocessed recordings."""

    def __init__(self, folder: Path, budget_s: float) -> None:
        """Simulate and preprocess the recordings, unless the folder holds them."""
        self._folder, self._budget_s = folder, budget_s
        self._locks: dict[str, Lock] = defaultdict(Lock)
        self._plans: dict[str, Plan] = {}
        self._scene = copy_project(folder / "scene")
        kedro_run(self._scene, "preprocess", "mlflow=false")

    def plan(self, name: str) -> Plan:
        """Measure a training step, then try two learning rates; done once for each family."""
        with self._locks[name]:
            if name not in self._plans:
                self._plans[name] = self._find_plan(name)
        return self._plans[name]

    def _find_plan(self, name: str) -> Plan:
        family = FAMILIES[name]
        share = 1.0 if family.first is None else 0.5
        budget_s = self._budget_s * share
        start_s, more_s = (self._probe(name, steps) for steps in PROBES)
        per_step_s = (more_s - start_s) / (PROBES[1] - PROBES[0])
        tried = max(int(TRIAL_SHARE * budget_s / per_step_s), PROBES[1])
        tries = [self._try(name, Plan(tried, rate)) for rate in family.rates]
        # Probes are short; the tries tell more precisely how long a step takes.
        per_step_s = (mean(one.cpu_s for one in tries) - start_s) / (tried - PROBES[0])
        best = max(tries, key=lambda one: (round(one.ap, 2), -one.loss))
        plan = Plan(int(budget_s / per_step_s), best.rate)
        found = ", ".join(f"{one.rate:g}: {one.ap:.2f} (loss {one.loss:.2f})" for one in tries)
        print(
            f"{name}: {per_step_s:.2f} CPU s a step, {plan.steps} steps; AP by rate {found}",
            flush=True,
        )
        return plan

    def train(self, name: str, seed: int, plan: Plan) -> Result:
        """Train, detect and evaluate one seed."""
        project = self._project(f"{name}-{seed}")
        first, start, cpu_s = FAMILIES[name].first, None, 0.0
        if first is not None:
            start, whole = self._project(f"{name}-{seed}-first"), self.plan(first)
            half = replace(whole, steps=whole.steps // 2)
            cpu_s = self._run(start, "train", first, seed, half, None)
        cpu_s += self._run(project, "train", name, seed, plan, start)
        self._run(project, "predict,evaluate", name, seed, plan, start)
        scores = overall_metrics(project)
        print(f"{name}-{seed}: AP {scores['AP']:.3f} after {cpu_s / 60:.1f} CPU min", flush=True)
        detector = read_checkpoint(project / DETECTOR).detector
        return Result(
            scores=scores,
            frames_per_second=frames_per_second(detector, self._test_windows()),
            parameters=sum(weight.numel() for weight in detector.parameters()),
            cpu_minutes=cpu_s / 60,
        )

    def _probe(self, name: str, steps: int) -> float:
        """CPU seconds of a training run of a few steps, with its start and its validation."""
        project, plan = self._project(f"{name}-probe-{steps}"), Plan(steps, FAMILIES[name].rates[0])
        return self._run(project, "train", name, TRIAL_SEED, plan, self._tried_before(name))

    def _tried_before(self, name: str) -> Path | None:
        """The better try of the family that is trained before."""
        first = FAMILIES[name].first
        return self._folder / f"{first}-try-{self.plan(first).rate:g}" if first else None

    def _try(self, name: str, plan: Plan) -> Trial:
        """What a learning rate reaches with a part of the budget."""
        project = self._project(f"{name}-try-{plan.rate:g}")
        cpu_s = self._run(project, "train", name, TRIAL_SEED, plan, self._tried_before(name))
        (history,) = (project / "data/06_models/trainings").glob(f"*/{HISTORY}")
        rows = read_history(history)
        aps = [value for _, metric, value in rows if metric.endswith("class/AP")]
        losses = [value for _, metric, value in rows if metric == "train/loss"]
        return Trial(plan.rate, aps[-1], mean(losses[-max(len(losses) // 5, 1) :]), cpu_s)

    def _run(
        self, project: Path, pipelines: str, name: str, seed: int, plan: Plan, start: Path | None
    ) -> float:
        """CPU seconds of a run; `start` is the project of the detector that it starts from."""
        parameters = [
            f"{FAMILIES[name].parameters},{COMMON},train.seed={seed},train.max_steps={plan.steps}",
            f"train.validation.every_steps={plan.steps},train.optimizer.learning_rate={plan.rate}",
            *([f"train.start_from={start / DETECTOR}"] if start else []),
        ]
        done = project / f"{pipelines}.cpu_s"
        if not done.exists():
            done.write_text(str(kedro_run(project, pipelines, ",".join(parameters))))
        return float(done.read_text())

    def _project(self, name: str) -> Path:
        return copy_preprocessed(self._folder / name, self._scene)

    def _test_windows(self) -> Tensor:
        """The first windows of a test recording."""
        store = RepresentationStore(self._scene / "data/02_intermediate/histograms")
        recording = store[next(key for key in store if key.startswith("test/"))]
        return torch.from_numpy(recording.read(0, NUM_WINDOWS))


def row(name: str, plan: Plan, results: list[Result]) -> str:
    """Line of the table for one family."""
    speed = mean(result.frames_per_second for result in results)
    cells = [f"`{name}`", f"{results[0].parameters:,}".replace(",", " "), f"{speed:.1f}"]
    cells += [f"{mean(result.cpu_minutes for result in results):.1f}", str(plan.steps)]
    cells.append(f"{plan.rate:g}")
    cells += [summary([result.scores for result in results], metric) for metric in METRICS]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
