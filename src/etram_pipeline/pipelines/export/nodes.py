"""Node of the export pipeline: it describes the export, which the dataset runs on saving."""

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.export.dataset import Export
from etram_pipeline.export.settings import ExportSettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore


def describe_export(
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    export: ExportSettings,
) -> Export:
    """Inputs and settings of the export."""
    return Export(histograms, labelled_frames, dataset, export)
