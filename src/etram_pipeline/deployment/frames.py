"""Stored recordings that a detector is exported for, as frames of one size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.stores.representation_store import RepresentationStore, StoredRepresentations

Windows = Integer[np.ndarray, "N C H W"]
"""Consecutive windows, oldest first."""


@dataclass(frozen=True)
class Frames:
    """Windows of recordings, and what is common to all of them.

    Attributes:
        recordings: Recordings with at least one window, by key.
        height: Rows of a frame, in px of the representation.
        width: Columns of a frame.
        downsampled_by: Px of the sensor per px of the frame, along each axis.
        encoding: Settings that they were made with.
    """

    recordings: Mapping[str, StoredRepresentations]
    height: int
    width: int
    downsampled_by: int
    encoding: EncodingSettings

    def read(self, key: str, start: int, stop: int) -> Windows:
        """Windows of a recording, cut or filled up with zeros at the bottom and on the right."""
        images = self.recordings[key].read(start, stop)
        rows, columns = min(self.height, images.shape[2]), min(self.width, images.shape[3])
        sized = np.zeros((*images.shape[:2], self.height, self.width), images.dtype)
        sized[:, :, :rows, :columns] = images[:, :, :rows, :columns]
        return sized

    def stretches(self) -> Iterator[Iterator[Integer[np.ndarray, "C H W"]]]:
        """All windows of each recording, read one after another."""
        for key, stored in self.recordings.items():
            yield (self.read(key, each, each + 1)[0] for each in range(stored.num_windows))


def choose_frames(
    histograms: RepresentationStore, settings: DeploySettings, trained_on: EncodingSettings | None
) -> Frames:
    """The frames of some splits.

    Args:
        histograms: Stored representations.
        settings: The splits, and the size if it is not that of the histograms.
        trained_on: Settings of the representations that the detector was trained on, for histograms
            that do not say how they were made; None: not known either.

    Raises:
        StoreError: If there are no windows, or if they differ in size or in their making, or if it
            is not known how they were made.
    """
    keys = in_splits(histograms, settings.splits)
    found = {key: histograms[key] for key in sorted(keys) if histograms[key].num_windows}
    if not found:
        raise StoreError(
            f"no windows of {', '.join(settings.splits)} in {histograms}: change deploy.splits, or "
            "run `kedro run --pipelines preprocess` on some recordings"
        )
    sizes = {(one.height, one.width) for one in found.values()}
    if settings.height is not None and settings.width is not None:
        sizes = {(settings.height, settings.width)}
    if len(sizes) > 1:
        raise StoreError(
            f"recordings differ in size: {_listed(sizes)} (rows, columns); a file is for one size: "
            "set deploy.height and deploy.width"
        )
    scales = {one.downsampled_by for one in found.values()}
    encodings = {one.encoding or trained_on for one in found.values()}
    if None in encodings:
        raise StoreError(
            f"neither {histograms} nor the checkpoint says how windows were cut and encoded, which "
            "whoever runs the file has to know: make histograms with `--pipelines preprocess`"
        )
    if len(scales) > 1 or len(encodings) > 1:
        raise StoreError(
            f"recordings in {histograms} were not preprocessed alike: run `--pipelines preprocess` "
            "for all of them, or choose others by deploy.splits"
        )
    [(height, width)], [scale], [encoding] = sizes, scales, filter(None, encodings)
    return Frames(found, height, width, scale, encoding)


def _listed(sizes: set[tuple[int, int]]) -> str:
    return ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
