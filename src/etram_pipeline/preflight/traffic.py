"""Checks that lines, classes and tracks fit together."""

from collections.abc import Iterator

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import EtramError
from etram_pipeline.datasets.site import SiteFile
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.table import has_track_ids
from etram_pipeline.pipelines.evaluate.track_nodes import find_unfit, find_untracked
from etram_pipeline.preflight.run import Notice, Run, of_splits, some
from etram_pipeline.traffic.classes import counted_classes
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site_files import read_site


def check(run: Run) -> Iterator[Notice]:
    """Faults of the site file, of groups of classes, and of tracks that are counted or scored."""
    yield from _site(run)
    yield from _classes(run)
    yield from _labels(run)
    yield from _protocols(run)


def _site(run: Run) -> Iterator[Notice]:
    site = run.stored("site", SiteFile)
    if site is None or site.path is None:
        return
    try:
        sizes = _sizes(run)
        for size in sizes:
            site.of(*size)
        if not sizes and site.path.suffix.lower() in {".yml", ".yaml"}:  # states its own size
            read_site(site.path)
    except EtramError as error:
        yield Notice(str(error))


def _sizes(run: Run) -> set[tuple[int, int]]:
    """Width and height of the sensors of recordings whose tracks are stored."""
    if run.tracks is None:
        return set()
    return {(each.width, each.height) for each in run.tracks.index.recordings.values()}


def _classes(run: Run) -> Iterator[Notice]:
    if "params:count" not in run.reads:
        return
    store = run.tracks or run.detections
    dataset = run.parameter("dataset", DatasetSettings.model_validate)
    names = dataset.detected_classes if store is None else store.class_names
    if run.trained is not None:
        names = run.trained.class_names or names
    try:
        counted_classes(run.parameter("count", CountSettings.model_validate).classes, names)
    except EtramError as error:
        yield Notice(str(error))


def _labels(run: Run) -> Iterator[Notice]:
    """Labels that tracks cannot be compared with."""
    if "track_metrics" not in run.makes or run.labelled_frames is None:
        return
    split = run.parameter("evaluate", EvaluateSettings.model_validate).split
    keys = of_splits(frozenset(run.labelled_frames), (split,))
    if run.tracks is not None and (fault := find_untracked(run.tracks, keys, split)):
        yield Notice(fault)
    without = [key for key in keys if not has_track_ids(run.labelled_frames[key].labels)]
    if without:
        yield Notice(
            f"the labels of {some(without)} have no track ids: tracks and counts are not compared "
            "with them",
            is_fault=False,
        )


def _protocols(run: Run) -> Iterator[Notice]:
    """Protocols of other classes that were asked for; defaults that do not fit are left out."""
    if "track_metrics" not in run.makes or "track_protocols" not in run.asked.get("evaluate", {}):
        return
    dataset = run.parameter("dataset", DatasetSettings.model_validate)
    for protocol in run.parameter("evaluate", EvaluateSettings.model_validate).track_protocols:
        if fault := find_unfit(protocol, dataset):
            yield Notice(f"evaluate.track_protocols: {fault}")
