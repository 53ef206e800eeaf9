"""Nodes of the evaluate pipeline that compare tracks and counts with the labels."""

import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, ProtocolError, StoreError
from etram_pipeline.core.lazy_mapping import LazyMapping
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.site import SiteFile
from etram_pipeline.datasets.track_store import REMEDY, TrackStore
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.labels.table import LabelTable, has_track_ids
from etram_pipeline.pipelines.evaluate.nodes import find_other_classes
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.traffic.default_sites import grid_site
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Site

if TYPE_CHECKING:
    from etram_pipeline.evaluation.counts.result import CountMetrics
    from etram_pipeline.evaluation.tracks.result import TrackMetrics
else:  # importing them takes long, and Kedro reads this module for every command
    CountMetrics = TrackMetrics = object

logger = logging.getLogger(__name__)


def score_tracks(
    tracks: TrackStore,
    labelled_frames: LabelStore,
    site: SiteFile,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> dict[str, TrackMetrics]:
    """Scores of the tracks of one split by protocol; empty if the labels have no track ids."""
    from etram_pipeline.evaluation.tracks.intervals import with_track_intervals
    from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks

    labels = _labels(tracks, labelled_frames, dataset, evaluate)
    if not labels:
        keys = in_splits(labelled_frames, (evaluate.split,))
        logger.warning(
            "tracks and counts are not compared with the labels: those of %s have no track ids",
            ", ".join(key for key in keys if not has_track_ids(labelled_frames[key].labels)),
        )
    found = LazyMapping(list(labels), tracks.__getitem__)
    drawn = _drawn_site(site, tracks, labels)
    intervals, scores = evaluate.intervals, {}
    for protocol in evaluate.track_protocols if labels else ():
        if fault := find_unfit(protocol, dataset):
            logger.warning("evaluate.track_protocols: %s", fault)
            continue
        try:
            metrics = evaluate_tracks(labels, found, protocol, dataset.detected_classes, site=drawn)
        except LabelError as error:
            remedy = "correct the labels, or set evaluate.track_protocols=[] to score no tracks"
            raise LabelError(f"{error}: {remedy}") from error
        metrics = metrics.model_copy(update={"split": evaluate.split})
        scores[protocol.name] = with_track_intervals(metrics, intervals.rounds, intervals.level)
    return scores


def score_counts(  # three datasets and three groups of parameters
    tracks: TrackStore,
    labelled_frames: LabelStore,
    site: SiteFile,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
    count: CountSettings,
) -> dict[str, CountMetrics]:
    """Error of the counts of one split by site; empty if the labels have no track ids."""
    from etram_pipeline.pipelines.evaluate.count_errors import compare_with_labels

    labels = _labels(tracks, labelled_frames, dataset, evaluate)
    sites = {"grid": grid_site} | ({} if site.path is None else {"site": site.of})
    chosen = {name: sites[name] for name in count.scored if name in sites}
    return {
        name: compare_with_labels(name, site_of, labels, tracks, count, evaluate)
        for name, site_of in (chosen.items() if labels else ())
    }


def find_unfit(protocol: TrackProtocol, dataset: DatasetSettings) -> str:
    """Why tracks are not scored by a protocol that needs other classes; empty if it fits."""
    from etram_pipeline.evaluation.classes import scored_classes

    try:
        scored_classes(protocol, dataset.detected_classes, num_ids=0)
    except ProtocolError as error:
        return f"{error}; tracks are not scored by it"
    return ""


def find_untracked(tracked: Collection[str], labelled: Collection[str], split: str) -> str:
    """What to say of a split of which labelled recordings have no tracks; empty if all have."""
    missing = sorted(key for key in labelled if key not in tracked)
    if not missing:
        return ""
    return (
        f"{len(missing)} of {len(labelled)} labelled recordings of '{split}' have no tracks "
        f"({', '.join(missing[:5])}): {REMEDY}"
    )


def _labels(
    tracks: TrackStore,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> dict[str, LabelTable]:
    """Labels of the recordings of a split; none if they have no track ids."""
    keys = in_splits(labelled_frames, (evaluate.split,))
    if fault := find_untracked(tracks, keys, evaluate.split):
        raise StoreError(fault)
    if fault := find_other_classes(tracks.class_names, dataset):
        raise StoreError(fault)
    labels = {key: labelled_frames[key].labels for key in keys}
    return labels if all(map(has_track_ids, labels.values())) else {}


def _drawn_site(site: SiteFile, tracks: TrackStore, keys: Iterable[str]) -> Site | None:
    """The site that was drawn, for the sensor of the recordings; None without one."""
    if site.path is None:
        return None
    sizes = {(tracks.observed(key).width, tracks.observed(key).height) for key in keys}
    found = [site.of(*size) for size in sorted(sizes)]
    return found[0] if found else None
