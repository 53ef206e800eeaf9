"""Summary of a run: what it will do, and what it made."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from etram_pipeline.core.counts import counted, counted_of
from etram_pipeline.datasets.files import path_of
from etram_pipeline.datasets.scene import SceneRecordingsDataset
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.wording import interval_text, value_text

if TYPE_CHECKING:
    from etram_pipeline.deployment.latency_report import DeploymentReport
    from etram_pipeline.evaluation.counts.result import CountMetrics
    from etram_pipeline.evaluation.tracks.result import TrackMetrics
else:  # importing them takes long, and every command reads this module
    CountMetrics = DeploymentReport = TrackMetrics = object

DEFAULT_RUN_MINUTES = 3
"""Time of the first `kedro run` on two cores, measured by benchmarks/first_run.py."""

_STEPS = {
    "preprocess": "check and encode the recordings",
    "quality": "check the recordings",
    "train": "train the detector",
    "predict": "detect",
    "track": "follow road users",
    "count": "count traffic",
    "evaluate": "compare with the labels",
    "report": "write the report",
    "export": "export the dataset",
    "deploy": "export the detector and measure it",
    "rates": "score by rate of windows and by latency",
    "robustness": "score on changed recordings",
}

_PLACES = {
    "report_page": "report",
    "annotated_video": "video",
    "traffic_page": "traffic",
    "site_page": "site",
    "detections": "detections",
    "metrics": "metrics",
    "checkpoint": "detector",
    "exported_detector": "exported",
    "quality_page": "quality",
    "deployment_report": "latency",
    "exported_dataset": "dataset",
    "rate_scores": "rates",
    "latency_scores": "latencies",
    "robustness_scores": "robustness",
    "histograms": "histograms",
}
"""Datasets that are listed at the end of a run, with the names shown there."""

Catalog = CatalogProtocol[Any, Any]


def outline(pipeline: Pipeline, catalog: Catalog, asked: Mapping[str, Any]) -> str:
    """The steps of a run in the order in which they end, and the time it takes if known.

    Args:
        pipeline: What will be run.
        catalog: What it is run on.
        asked: Parameters that environment, preset and command line set.
    """
    parts: dict[str, None] = {}
    for node in pipeline.nodes:
        part = (node.namespace or node.name).split(".")[0]
        words = _words(part, node.outputs, pipeline, catalog)
        parts.pop(words, None)  # a step may begin early: its last node decides
        parts[words] = None
    text = f"{counted(len(pipeline.nodes), 'node')}: {' → '.join(parts)}"
    if _is_default(pipeline, catalog, asked):
        text += f"; about {DEFAULT_RUN_MINUTES} minutes on two cores, less for what is up to date"
    return text


def print_results(pipeline: Pipeline, catalog: Catalog, folder: Path) -> None:
    """Print the headline metrics and the paths of the results, each on one line.

    Args:
        pipeline: What was run.
        catalog: Where its results are.
        folder: The user's working directory.
    """
    import rich

    console = rich.get_console()
    for line in result_lines(pipeline, catalog, folder):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def result_lines(pipeline: Pipeline, catalog: Catalog, folder: Path) -> Iterator[str]:
    """Lines with the results of a run; paths are relative to a folder."""
    made = pipeline.all_outputs()
    if "metrics" in made:
        yield _headline(catalog.load("metrics"))
    if "track_metrics" in made:
        yield from _track_headline(catalog.load("track_metrics"))
    if "count_metrics" in made:
        yield from _count_headline(catalog.load("count_metrics"))
    if "deployment_report" in made:
        yield from _latency_lines(catalog.load("deployment_report"))
    if "quality" in made:
        yield from _unreadable(catalog)
    for name, word in _PLACES.items():
        path = place_of(catalog.get(name), folder) if name in made else None
        if path is not None and (folder / path).exists():
            yield f"{word + ':':<12}{path}"


def place_of(dataset: object, folder: Path) -> Path | None:
    """Path of a dataset, relative to a folder if it is inside."""
    found = path_of(dataset)
    if found is None:
        return None
    path = Path.cwd() / found
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _words(part: str, outputs: list[str], pipeline: Pipeline, catalog: Catalog) -> str:
    if part == "train":
        settings = catalog.load("params:train")
        return f"train the detector for {counted(settings.max_steps, 'step')}"
    if part == "report" and "report_page" not in pipeline.all_outputs():
        return "draw the video" if "annotated_video" in outputs else "draw figures"
    if part == "preprocess" and "histograms" not in pipeline.all_outputs():
        return _STEPS["quality"]
    return _STEPS.get(part, part)


def _is_default(pipeline: Pipeline, catalog: Catalog, asked: Mapping[str, Any]) -> bool:
    """Whether the embedded scene goes through all pipelines as the repository has them."""
    is_whole = set(pipeline.nodes) == set(pipelines["__default__"].nodes)
    recordings = catalog.get("recordings")
    is_scene = isinstance(recordings, SceneRecordingsDataset) and recordings.is_default
    changed = set(asked) - {"train"} | set(asked.get("train", {})) - {"seed"}
    return is_whole and is_scene and not changed


def _headline(metrics: Mapping[str, Metrics]) -> str:
    name, first = next(iter(metrics.items()))
    scores = {
        value: first.overall[value.name]
        for value in first.protocol.shown("headline")
        if value.name in first.overall
    }
    if all(score == NO_GROUND_TRUTH for score in scores.values()):
        return f"no labels to compare with ({name}, {first.split})"
    numbers = ", ".join(
        f"{value.title} {value_text(score)}{_range(first, value.name)}"
        for value, score in scores.items()
    )
    if first.operating_point is not None:
        overall = first.operating_point.overall
        numbers += f", F1 {value_text(overall.f1)} at score {overall.score:.2f}"
    boxes = counted(first.num_labels, "box", "boxes")
    return f"{numbers} ({name}, {boxes} of {first.split})"


def _track_headline(metrics: Mapping[str, TrackMetrics]) -> Iterator[str]:
    for name, first in list(metrics.items())[:1]:
        if not first.num_labels:
            continue
        shown = []
        for value in ("HOTA", "IDF1"):
            interval = interval_text(first.interval_of(value))
            shown.append(f"{value} {value_text(first.overall[value])}{_in_brackets(interval)}")
        switches = counted(first.counts["IDSW"], "identity switch", "identity switches")
        yield f"{', '.join(shown)}, {switches} ({name}, {first.split})"


def _count_headline(metrics: Mapping[str, CountMetrics]) -> Iterator[str]:
    for name, found in metrics.items():
        overall = found.overall
        if overall.error is None:
            continue
        ends = (overall.error_low, overall.error_high)
        interval = (
            ""
            if None in ends
            else " to ".join(f"{100 * end:+.1f} %" for end in ends if end is not None)
        )
        yield (
            f"{overall.counted} crossings counted, {overall.true} true: "
            f"{100 * overall.error:+.1f} %{_in_brackets(interval)} (lines of {name}, {found.split})"
        )


def _latency_lines(report: DeploymentReport) -> Iterator[str]:
    for each in report.measured:
        latency, doubt = each.by_clock.latency, ""
        if each.is_doubtful:
            doubt = f"; other programs used {100 * (each.others_share or 0):.0f} % of the machine"
        yield (
            f"boxes {latency.p50_ms:.0f} ms after their window, {latency.p95_ms:.0f} ms at the "
            f"95th percentile ({each.combination}{doubt})"
        )
    for failed in report.failed:
        yield f"not measured: {failed.combination}: {failed.reason}"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _range(metrics: Metrics, name: str) -> str:
    return _in_brackets(interval_text(metrics.interval_of(name)))


def _unreadable(catalog: Catalog) -> Iterator[str]:
    quality = catalog.load("quality")
    if quality.failed:
        num_all = len(quality.failed) + len(quality)
        yield (
            f"{counted_of(len(quality.failed), num_all, 'recording')} could not be read; the "
            "quality report shows why"
        )
