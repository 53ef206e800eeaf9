"""What a study of a detector on raw recordings works on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.recording import Recording
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint
from etram_pipeline.pipelines.evaluate.nodes import find_other_classes
from etram_pipeline.pipelines.predict.nodes import find_other_channels
from etram_pipeline.stores.label_store import LabelStore


@dataclass(frozen=True)
class Studied:
    """A detector, and the labelled recordings of a split.

    Attributes:
        trained: The detector.
        encoding: Windows of the settings; representation of the checkpoint, if it tells.
        recordings: Recordings by key.
        frames: Their labelled frames.
    """

    trained: Checkpoint
    encoding: EncodingSettings
    recordings: Mapping[str, Recording]
    frames: Mapping[str, LabelledFrames]


def open_studied(  # noqa: PLR0913  # one argument per dataset and per concern
    recordings: Mapping[str, Path],
    labelled_frames: LabelStore,
    checkpoint: Path,
    dataset: DatasetSettings,
    *,
    windows: WindowConfig,
    representation: RepresentationConfig,
    split: str,
) -> Studied:
    """The detector and the recordings; files are opened only to be read.

    Raises:
        StoreError: If there are no labelled recordings, or the detector does not fit them.
        RecordingError: If a recording is damaged.
    """
    trained = read_checkpoint(checkpoint)
    if trained.encoding is not None:
        representation = trained.encoding.representation
    keys = [key for key in in_splits(labelled_frames, (split,)) if key in recordings]
    if not keys:
        raise StoreError(
            f"there are no labelled recordings of '{split}' to score in: change "
            "evaluate.split, or run `kedro run --pipelines preprocess` on some"
        )
    fault = find_other_classes(
        trained.class_names or dataset.detected_classes, dataset
    ) or find_other_channels(
        trained.in_channels, None, checkpoint, "`representation`", representation.channels
    )
    if fault:
        raise StoreError(fault)
    size = (dataset.height, dataset.width)
    return Studied(
        trained,
        EncodingSettings(windows=windows, representation=representation),
        {key: open_recording(recordings[key], size=size, clock=dataset.clock) for key in keys},
        {key: labelled_frames[key] for key in keys},
    )
