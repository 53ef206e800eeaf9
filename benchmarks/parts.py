"""What each idea costs: parameters, training step and detection, as ratios to RVT nano.

    python -m benchmarks.parts                                    # every idea that has a preset
    python -m benchmarks.parts --only vtei --repeats 30 --env scene_hard
    git worktree add ../before v1.0 && python -m benchmarks.parts --baseline ../before

All detectors are built from their presets in one environment, and measured in one process, one
after another in every round; a ratio is the median over the rounds. A training step is losses,
gradients, clipping and an update of the weights for two lanes of two windows, which are read
beforehand from recordings of the embedded scene. Detection is everything that the network computes
for one window, with the memory of the windows before. Times are processor time of one thread, which
other work on the machine changes less than wall time.

With `--baseline`, only the default detector is measured: its training step in this source tree and
in another checkout of the project, in processes that take turns step by step. The processes are
started anew several times, because their memory lies in other places each time. A ratio of 1 says
that the step of this tree takes as long as the other's.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from benchmarks.hardware import describe_cpu
from benchmarks.small_scene import CONF, SmallScene, write_teacher
from jaxtyping import Shaped
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.inference.predict import arithmetic
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Detector, State, total_loss
from etram_pipeline.models.hardware import resolve_precision
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.optimizer import build_optimizer
from etram_pipeline.training.settings import TrainSettings

REFERENCE = "rvt_nano"
IDEAS = (
    "adaptive_size",
    "hard_negatives",
    "temporal_consistency",
    "scale_consistency",
    "motion_direction",
    "distillation",
    "squeeze_excitation",
    "deformable",
    "event_density",
    "cross_attention",
    "vtei",
    "voxel_grid",
    "time_surface",
)
NUM_BATCHES = 6
NUM_WINDOWS = 4
"""Windows of a round, of which the median counts."""

WARM_UP = 3
"""Rounds not counted: they also choose algorithms and fill caches."""

ROUNDS_OF_A_PROCESS = 20
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Contender:
    """A detector that is measured."""

    parameters: int
    train: Callable[[], None]
    detect: Callable[[], None]


@dataclass(frozen=True)
class Times:
    """Seconds of a training step and of a window, by round."""

    step_s: list[float]
    window_s: list[float]


def main() -> None:
    """Print the table, the comparison of two source trees, or times of steps for that."""
    arguments = parse_arguments()
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    if arguments.serve:
        serve_steps(make_contender(REFERENCE, SmallScene(Path(arguments.serve))))
        return
    print(f"{describe_cpu()}, 1 thread, {resolve_precision('auto', on_gpu=False)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="parts-") as temporary:
        folder = Path(arguments.folder or temporary)
        if arguments.baseline:
            compare_trees(Path(arguments.baseline).resolve(), folder, arguments.repeats)
        else:
            compare_ideas(arguments.only, SmallScene(folder, arguments.env), arguments.repeats)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    presets = {path.stem for path in (CONF / "presets").glob("*.yml")}
    ideas = [name for name in IDEAS if name in presets]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(presets), default=ideas)
    parser.add_argument("--env", default="local", help="environment of the scene")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--baseline", help="another checkout of the project")
    parser.add_argument("--folder", help="where recordings are kept for the next run")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def compare_ideas(names: Sequence[str], scene: SmallScene, repeats: int) -> None:
    """Measure all detectors in turn, and print a row for each."""
    contenders = {name: make_contender(name, scene) for name in dict.fromkeys([REFERENCE, *names])}
    times = {name: Times([], []) for name in contenders}
    for number in range(WARM_UP + repeats):
        for name, contender in contenders.items():
            step_s = seconds(contender.train)
            window_s = median(seconds(contender.detect) for _ in range(NUM_WINDOWS))
            if number >= WARM_UP:
                times[name].step_s.append(step_s)
                times[name].window_s.append(window_s)
    print("| preset | parameters | training step | ratio | one window | ratio |")
    print("|---" * 6 + "|")
    for name, contender in contenders.items():
        cells = [
            f"`{name}`",
            f"{contender.parameters:,}".replace(",", " "),
            f"{1000 * median(times[name].step_s):.0f} ms",
            ratio(times[name].step_s, times[REFERENCE].step_s),
            f"{1000 * median(times[name].window_s):.1f} ms",
            ratio(times[name].window_s, times[REFERENCE].window_s),
        ]
        print(f"| {' | '.join(cells)} |")


def ratio(ours: Sequence[float], others: Sequence[float]) -> str:
    """Median over the rounds of the ratio of two times."""
    return f"{median(a / b for a, b in zip(ours, others, strict=True)):.2f}"


def make_contender(name: str, scene: SmallScene) -> Contender:
    """The detector of a preset, and what it trains on and detects in."""
    parameters = scene.parameters(name, changes_of(name, scene))
    recordings = scene.preprocessed(parameters)
    names = parameters["dataset"].detected_classes
    counts = recordings.count_classes(len(names)).num_boxes.tolist()
    config = parameters["detector"].for_classes(TrainingClasses(names, tuple(counts)))
    torch.manual_seed(0)
    stored = next(iter(recordings.frames.values()))
    detector = config.build(stored.channels, len(names))
    return Contender(
        parameters=sum(weight.numel() for weight in detector.parameters() if weight.requires_grad),
        train=training(
            detector, read_batches(recordings, parameters["train"]), parameters["train"]
        ),
        detect=detection(detector, torch.from_numpy(stored.read(0, stored.num_windows))),
    )


def changes_of(name: str, scene: SmallScene) -> Mapping[str, Any]:
    """Parameters that a preset leaves to its user."""
    if name != "distillation":
        return {}
    return {"detector": {"auxiliary": {"teacher": str(write_teacher(scene, REFERENCE))}}}


def read_batches(recordings: LabelledRecordings, settings: TrainSettings) -> list[SequenceBatch]:
    """The first batches of a training run."""
    inline = settings.model_copy(update={"workers": 0})
    loader = ClipData(recordings, LabelledRecordings({}, {}), inline).train_dataloader()
    return list(islice(loader, NUM_BATCHES))


def training(
    detector: Detector, batches: Sequence[SequenceBatch], settings: TrainSettings
) -> Callable[[], None]:
    """A function that trains for one step, as a training run does."""
    optimizer, _ = build_optimizer(detector, settings.optimizer, settings.max_steps)
    precision = resolve_precision(settings.precision, on_gpu=False)
    clips = cycle(batches)
    state: State = ()

    def step() -> None:
        nonlocal state
        detector.train()
        before = tuple(memory.detach() for memory in state)
        with arithmetic(CPU, precision):
            losses, state = detector.losses(next(clips), before)
        total_loss(losses).backward()
        if settings.optimizer.gradient_clip is not None:
            torch.nn.utils.clip_grad_value_(detector.parameters(), settings.optimizer.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()

    return step


def detection(detector: Detector, frames: Shaped[Tensor, "N C H W"]) -> Callable[[], None]:
    """A function that detects in the next of consecutive windows."""
    windows = cycle(frames.split(1))
    precision = resolve_precision("auto", on_gpu=False)
    state: State = ()

    def detect() -> None:
        nonlocal state
        detector.eval()
        with torch.inference_mode(), arithmetic(CPU, precision):
            _, state = detector.predict_window(next(windows), state)

    return detect


def seconds(function: Callable[[], None]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def serve_steps(contender: Contender) -> None:
    """Train for a step and print its time, for every line that is read."""
    for _ in range(WARM_UP):
        contender.train()
    for _ in sys.stdin:
        print(seconds(contender.train), flush=True)


def compare_trees(baseline: Path, folder: Path, repeats: int) -> None:
    """Print the training step of this source tree as a ratio to that of another checkout."""
    scene = SmallScene(folder)
    scene.preprocessed(scene.parameters(REFERENCE))
    ratios: list[float] = []
    while len(ratios) < repeats:
        with step_server(CONF.parent, folder) as ours_s, step_server(baseline, folder) as theirs_s:
            rounds = range(min(ROUNDS_OF_A_PROCESS, repeats - len(ratios)))
            ratios += [ours_s() / theirs_s() for _ in rounds]
    low, middle, high = quantiles(ratios, n=4)
    print(f"training step of this tree as a ratio to that of {baseline}: {middle:.3f}")
    print(f"middle half of {len(ratios)} rounds: {low:.3f} to {high:.3f}")


@contextmanager
def step_server(tree: Path, folder: Path) -> Iterator[Callable[[], float]]:
    """A process that trains with the sources of `tree`; gives the time of its next step."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.parts", "--serve", str(folder)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONPATH": str(tree / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked, answered = process.stdin, process.stdout
        if asked is None or answered is None:
            raise RuntimeError("the process has no pipes")

        def step_s() -> float:
            asked.write("\n")
            asked.flush()
            return float(answered.readline())

        yield step_s
        asked.close()


if __name__ == "__main__":
    main()
