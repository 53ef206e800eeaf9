"""Age of boxes when they are there, by engine, threads, rate of events, detector and frame size.

    python -m benchmarks.deployment data                   # everything, with a finished default run
    python -m benchmarks.deployment data --engines onnxruntime eager --rates 5 --threads 1
    python -m benchmarks.deployment --detectors tiny --frames 360x640   # chance weights
    python -m benchmarks.deployment data --parts scores installation

Each combination is measured in a process of its own: in real time, and by the processor time of
each window. On a shared machine, compare processor time, within one run. Trained weights are those
of the run, which is a nano; every other detector has chance weights, which take as long, except
that hardly any box is left to select. `compiled` takes minutes.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engines import ENGINES, detector_files, engine_configs
from benchmarks.hardware import describe_cpu
from benchmarks.installation import print_installations

from etram_pipeline.deployment.accuracy import average_precision
from etram_pipeline.deployment.engines import EngineFiles
from etram_pipeline.deployment.latency import describe_machine, measure_latency
from etram_pipeline.deployment.latency_settings import MOST_DROP, LatencySettings
from etram_pipeline.deployment.latency_table import COLUMNS, rows_of
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.streaming.model import read_description

PROTOCOL = "etram_8class"
PARTS = ("installation", "scores", "latency")


def main() -> None:
    """Print a table for each part."""
    arguments = parse_arguments()
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.ERROR)
    machine = describe_machine()
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    print(f"{describe_cpu()}; {versions}; load average {machine.load_average}", flush=True)
    if "installation" in arguments.parts:
        print_installations()
    with tempfile.TemporaryDirectory() as folder:
        for detector in arguments.detectors:
            for size in arguments.frames:
                files = detector_files(Path(folder), detector, size, arguments.run)
                print_detector(f"{detector}, {size[0]} x {size[1]} px", files, arguments)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, help="folder `data` of a finished run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument(
        "--detectors", nargs="+", choices=("nano", "tiny"), default=["nano", "tiny"]
    )
    parser.add_argument("--frames", nargs="+", type=as_size, default=[(192, 320), (360, 640)])
    parser.add_argument("--rates", nargs="+", type=float, default=[1, 5, 20], help="M events/s")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--limit", type=float, default=900, help="seconds for each combination")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def as_size(text: str) -> tuple[int, int]:
    """Height and width of `192x320`."""
    height, width = map(int, text.split("x"))
    return height, width


def print_detector(name: str, files: EngineFiles, arguments: argparse.Namespace) -> None:
    """Print scores and latencies of one detector."""
    if "scores" in arguments.parts and arguments.run is not None:
        print_scores(name, files, arguments.engines, arguments.run)
    if "latency" not in arguments.parts:
        return
    settings = LatencySettings(
        engines=engine_configs(arguments.engines),
        million_events_per_s=tuple(arguments.rates),
        threads=tuple(arguments.threads),
        windows=arguments.windows,
        limit_s=arguments.limit,
    )
    report = measure_latency(files, settings)
    print(f"\n{name}, sensor of {report.height} x {report.width} px")
    print_table(COLUMNS, rows_of(report))


def print_scores(name: str, files: EngineFiles, engines: Sequence[str], run: Path) -> None:
    """Print the average precision of each engine, if there are recordings for the detector."""
    description = read_description(files.exported)
    histograms = RepresentationStore(run / "02_intermediate/histograms")
    labels = LabelStore(run / "03_primary/labelled_frames")
    tested = {key: histograms[key] for key in labels if key.startswith("test/")}
    size = description.frames.height, description.frames.width
    if {(each.height, each.width) for each in tested.values()} != {size} or "nano" not in name:
        return
    truth = {key: labels[key].labels for key in tested}
    rows, reference = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for config in engine_configs([each for each in engines if each != "compiled"]):
            path = config.prepare(files, Path(folder))
            model = config.load(path, description, threads=2)
            score = average_precision(model, tested, truth, resolve_protocol(PROTOCOL))
            reference = reference or score
            drop = reference - score
            accepted = "yes" if drop < MOST_DROP else "no"
            size_mb = f"{path.stat().st_size / 1e6:.1f}"
            rows.append([config.name, f"{score:.4f}", f"{100 * drop:+.2f}", accepted, size_mb])
    print(f"\n{name}, {len(tested)} test recordings, {PROTOCOL}")
    print_table(("engine", "AP", "points lower", "accepted", "MB"), rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(columns) + " |")
    print("|---" * len(columns) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
