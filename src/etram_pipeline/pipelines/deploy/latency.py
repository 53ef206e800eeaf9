"""Node of the deploy pipeline that measures the exported detector on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.deployment.latency_report import DeploymentReport
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

if TYPE_CHECKING:
    from etram_pipeline.deployment.latency import LabelledRecordings
else:  # importing it takes long, and Kedro reads this module for every command
    LabelledRecordings = object


def measure_latency(
    exported_detector: Path,
    checkpoint: Path,
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    evaluate: EvaluateSettings,
    deploy: DeploySettings,
) -> DeploymentReport:
    """Latency, memory and start-up time by engine, threads and rate of events.

    Ranges for rounding are found in training recordings, and its cost is measured in others.
    """
    from etram_pipeline.deployment import latency
    from etram_pipeline.deployment.engines import EngineFiles

    training = [histograms[key] for key in in_splits(histograms, ("train",))]
    files = EngineFiles(exported_detector, checkpoint, training)
    labelled = _labelled(histograms, labelled_frames, evaluate, deploy)
    return latency.measure_latency(files, deploy.latency, labelled)


def _labelled(
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    evaluate: EvaluateSettings,
    deploy: DeploySettings,
) -> LabelledRecordings | None:
    """Some recordings of the splits that the file is checked with; None if none are needed."""
    from etram_pipeline.deployment.latency import LabelledRecordings

    protocols = [each for each in evaluate.protocols if not each.needs_masks]
    if not protocols or all(engine.is_exact for engine in deploy.latency.engines):
        return None
    keys = [key for key in in_splits(labelled_frames, deploy.splits) if key in histograms]
    chosen = keys[: deploy.latency.scored_recordings]
    return LabelledRecordings(
        representations={key: histograms[key] for key in chosen},
        labels=LabelTables({key: labelled_frames[key] for key in chosen}),
        protocol=protocols[0],
    )
