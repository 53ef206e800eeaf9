"""Time and memory of an evaluation by number of frames, compared with common libraries.

    python -m benchmarks.evaluation                 # up to the size of eTraM's test set
    python -m benchmarks.evaluation --frames 1000   # quick

Each line is measured in a separate process, so that its peak memory is not affected by others. The
first evaluation of a process is reported by itself: it loads compiled code, and compiles it if a
machine has none. Of the others, the least time counts. pycocotools and faster-coco-eval do the same
work, from tables to all metrics. hotcoco computes precision and recall of all recordings only, and
the second line of it those by day and by night as well; confusions and a fingerprint of the labels
are left to ours. It is given arrays, not dictionaries, and one thread, as ours; the third line is
the second with all threads. On a shared machine, compare CPU seconds.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from benchmarks.hardware import describe_cpu

from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.outcomes import area_bounds
from etram_pipeline.evaluation.protocols import NAMED
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

LABELS_PER_FRAME = 3
CLASS_SHARES = (0.30, 0.55, 0.05, 0.03, 0.02, 0.03, 0.01, 0.01)
NUM_RECORDINGS = 30
PROTOCOL = NAMED["etram_8class"]
FAST = ("compiled", "hotcoco", "hotcoco, day/night", "hotcoco, threads")
LIBRARIES = ("faster_coco_eval", "pycocotools")

Tables = tuple[dict[str, LabelTable], dict[str, DetectionTable]]


def main() -> None:
    """Print one line per number of frames and engine."""
    arguments = parse_arguments()
    if arguments.engine:
        measure(arguments.frames[0], arguments)
        return
    print(f"{describe_cpu()}, Python {platform.python_version()}")
    print("  frames  detections engine               first s  seconds    CPU s  peak MB        AP")
    for frames in arguments.frames:
        for engine in (*FAST, *(LIBRARIES if frames <= arguments.libraries_up_to else ())):
            run_alone(frames, arguments, engine)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1_000, 5_000, 20_000, 60_000])
    parser.add_argument("--detections-per-frame", type=int, default=50)
    parser.add_argument("--libraries-up-to", type=int, default=5_000, metavar="FRAMES")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_alone(frames: int, arguments: argparse.Namespace, engine: str) -> None:
    """Measure one engine in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.evaluation", "--frames", str(frames)]
    command += ["--engine", engine, "--repeats", str(arguments.repeats)]
    command += ["--detections-per-frame", str(arguments.detections_per_frame)]
    threads = {} if "threads" in engine else {"RAYON_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=os.environ | threads)


def measure(frames: int, arguments: argparse.Namespace) -> None:
    """Print the line of one engine."""
    tables = make_tables(frames, arguments.detections_per_frame)
    run = engine_of(arguments.engine)
    repeats = 1 if arguments.engine in LIBRARIES else arguments.repeats
    seconds, cpu_seconds, precision = [], [], 0.0
    for _repeat in range(1 + repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        precision = run(tables)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - start_cpu)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    num_frames = sum(len(np.unique(table["t"])) for table in tables[0].values())
    print(
        f"{num_frames:8d} {sum(map(len, tables[1].values())):11d} {arguments.engine:<20} "
        f"{seconds[0]:7.2f} {min(seconds[1:]):8.2f} {min(cpu_seconds[1:]):8.2f} {peak_mb:8.0f}  "
        f"{precision:.6f}"
    )


def engine_of(engine: str) -> Callable[[Tables], float]:
    """Computes the metrics of tables, and returns AP."""
    if engine.startswith("hotcoco"):
        return partial(evaluate_with_hotcoco, by_lighting=engine != "hotcoco")
    protocol = PROTOCOL
    if engine in LIBRARIES:  # which cannot count equal scores together
        protocol = PROTOCOL.model_copy(update={"ties": "rows", "name": "rows"})
    return lambda tables: evaluate(*tables, protocol, engine=engine).overall["AP"]  # type: ignore[arg-type]


def make_tables(frames: int, detections_per_frame: int) -> Tables:
    """Random labels and detections of recordings by day and by night."""
    rng = np.random.default_rng(0)
    labels: dict[str, LabelTable] = {}
    detections: dict[str, DetectionTable] = {}
    for number in range(NUM_RECORDINGS):
        name = f"test/test_{'day' if number % 2 else 'night'}_{number:04d}"
        labels[name] = make_labels(rng, frames // NUM_RECORDINGS + 1)
        detections[name] = make_detections(rng, labels[name], detections_per_frame)
    return labels, detections


def evaluate_with_hotcoco(tables: Tables, *, by_lighting: bool) -> float:
    """AP by hotcoco, which is given arrays with one row for each box."""
    import hotcoco

    columns: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    frames_of: dict[str, list[int]] = {"day": [], "night": []}
    first = 0
    for name, table in tables[0].items():
        times_us, found = np.unique(table["t"]), tables[1][name]
        found = found[np.isin(found["t"], times_us)]
        for rows, parts in ((table, columns[0]), (found, columns[1])):
            boxes = [rows[side] for side in "xywh"]
            score = rows["score"] if rows is found else np.zeros(len(rows))
            frames = first + np.searchsorted(times_us, rows["t"])
            parts.append(np.stack([frames, *boxes, score, rows["class_id"]], axis=1))
        frames_of["day" if "_day_" in name else "night"] += range(first, first + len(times_us))
        first += len(times_us)
    labels, detections = (np.concatenate(parts).astype(np.float64) for parts in columns)
    truth = hotcoco.COCO.from_arrays(
        images=[{"id": frame} for frame in range(first)],
        categories=[{"id": number, "name": str(number)} for number in range(len(CLASS_SHARES))],
        image_ids=labels[:, 0].astype(np.int64),
        category_ids=labels[:, 6].astype(np.int64),
        boxes=np.ascontiguousarray(labels[:, 1:5]),
    )
    evaluation = hotcoco.COCOeval(truth, truth.load_res(detections), "bbox")
    evaluation.params.areaRng = [list(bounds) for bounds in area_bounds(PROTOCOL)]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = np.asarray((evaluation.eval or {})["precision"])[..., 0, -1]
    if by_lighting:
        evaluation.slice_by(frames_of)
    return float(precision[precision > -1].mean())


def make_labels(rng: np.random.Generator, num_frames: int) -> LabelTable:
    """Random boxes of eTraM's classes on its sensor, at 10 Hz."""
    table = np.zeros(num_frames * LABELS_PER_FRAME, LABEL_DTYPE)
    table["t"] = np.repeat(np.arange(1, num_frames + 1) * 100_000, LABELS_PER_FRAME)
    table["x"], table["y"] = rng.uniform(0, 1100, len(table)), rng.uniform(0, 600, len(table))
    table["w"], table["h"] = rng.uniform(15, 150, (2, len(table)))
    table["class_id"] = rng.choice(len(CLASS_SHARES), len(table), p=CLASS_SHARES)
    return table


def make_detections(rng: np.random.Generator, labels: LabelTable, per_frame: int) -> DetectionTable:
    """Detections at a low threshold: half of them near labels, with higher scores."""
    copies = per_frame // (2 * LABELS_PER_FRAME)
    near = np.repeat(labels, copies)
    far = np.repeat(labels, per_frame // LABELS_PER_FRAME - copies)
    table = np.zeros(len(near) + len(far), DETECTION_DTYPE)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        table[name] = np.concatenate([near[name], rng.permutation(far[name])])
    table["t"][len(near) :] = far["t"]
    for name in ("x", "y", "w", "h"):
        table[name][: len(near)] += rng.normal(0, 6, len(near)).astype(np.float32)
    table["w"], table["h"] = table["w"].clip(2), table["h"].clip(2)
    table["score"] = rng.beta(1, 6, len(table))
    table["score"][: len(near)] = rng.beta(2, 3, len(near))
    table["class_confidence"] = table["class_score"] = table["score"]
    return table[np.argsort(table["t"], kind="stable")]


if __name__ == "__main__":
    main()
