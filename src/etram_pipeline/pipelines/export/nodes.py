"""Node of the export pipeline: it says what to export, the dataset does it on saving."""

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.sequences.export.dataset import Export
from etram_pipeline.sequences.export.settings import ExportSettings
from etram_pipeline.sequences.store import FrameStore, LabelStore


def describe_export(
    histograms: FrameStore,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    export: ExportSettings,
) -> Export:
    """Which recordings to export, and what their pictures show."""
    return Export(histograms, labelled_frames, dataset, export)
