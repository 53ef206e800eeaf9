"""A run that is about to begin, and the data it will find; each dataset is read once at most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from kedro.io import CatalogProtocol, DatasetError
from kedro.pipeline import Pipeline

from etram_pipeline.core.component import Settings
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detection_store import DetectionSource, DetectionStore
from etram_pipeline.datasets.recordings import RawFolderDataset
from etram_pipeline.datasets.scene import SceneLabelsDataset, SceneRecordingsDataset
from etram_pipeline.datasets.track_store import TrackStore
from etram_pipeline.events.windows import WindowConfig, label_aligned
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.masks import find_masks
from etram_pipeline.preflight.detector import Trained, describe
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

Kind = TypeVar("Kind", bound=Settings)
Loaded = TypeVar("Loaded")
Keys = frozenset[str]

UNREADABLE = (EtramError, DatasetError, OSError)
"""Errors raised for data that is missing or damaged."""

_SIMULATED = SceneRecordingsDataset | SceneLabelsDataset


@dataclass(frozen=True)
class Notice:
    """A message to show before a run begins.

    Attributes:
        message: What was found, what was expected, where, and what to do.
        is_fault: Whether the run would fail, or would not do what was asked for.
    """

    message: str
    is_fault: bool = True


class Run:
    """A run that is about to begin.

    Attributes:
        catalog: Its datasets.
        makes: Datasets that its nodes make.
        reads: Datasets and parameters that its nodes read.
        needs: Datasets that must be there before it begins.
        asked: Parameters that environment, preset and command line set.
        given: Parameters that the command line alone sets.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        asked: Mapping[str, Any],
        given: Mapping[str, Any],
    ) -> None:
        self.catalog = catalog
        self.makes: set[str] = pipeline.all_outputs()
        self.reads: set[str] = pipeline.all_inputs()
        self.needs = {name for name in pipeline.inputs() if not name.startswith("params:")}
        self.asked = asked
        self.given = given
        self._loaded: dict[str, object] = {}

    @property
    def is_scored(self) -> bool:
        """Whether detections are compared with labels by the protocols of `evaluate`."""
        return bool(self.makes & {"metrics", "rate_scores", "latency_scores", "robustness_scores"})

    def parameter(self, name: str, validate: Callable[[Any], Kind]) -> Kind:
        """Parameters of the run, which Kedro validates only where a node reads them.

        Args:
            name: Their key.
            validate: `model_validate` of their class.

        Raises:
            ValidationError: If they are not valid.
        """
        return validate(self.dataset(f"params:{name}").load())

    def dataset(self, name: str) -> Any:  # noqa: ANN401  # any dataset class of any package
        """A dataset of the catalog; loading it is not logged."""
        return self.catalog.get(name)

    def load(self, name: str) -> object:
        """What a dataset holds.

        Raises:
            EtramError: If it is damaged.
            DatasetError: If it is missing.
        """
        if name not in self._loaded:
            self._loaded[name] = self.dataset(name).load()
        return self._loaded[name]

    def stored(self, name: str, kind: type[Loaded]) -> Loaded | None:
        """The stored content of a dataset that the run needs; None without any of this type."""
        if name not in self.needs:
            return None
        try:
            found = self.load(name)
        except UNREADABLE:  # reported by the check of files
            return None
        return found if isinstance(found, kind) else None

    @property
    def histograms(self) -> RepresentationStore | None:
        """Stored representations, if the run reads those of an earlier one."""
        return self.stored("histograms", RepresentationStore)

    @property
    def labelled_frames(self) -> LabelStore | None:
        """Stored labelled frames, likewise."""
        return self.stored("labelled_frames", LabelStore)

    @cached_property
    def detections(self) -> DetectionStore | None:
        """Stored detections, likewise; None also while the labels are not known that they fit.

        Raises:
            LabelError: If they come from another program and do not fit the labels.
        """
        found = self.stored("detections", DetectionSource)  # type: ignore[type-abstract]
        if found is None or isinstance(found, DetectionStore):
            return found
        if self.labelled_frames is None:
            return None
        dataset = self.parameter("dataset", DatasetSettings.model_validate)
        return found.of(self.labelled_frames, dataset)

    @property
    def tracks(self) -> TrackStore | None:
        """Stored tracks, likewise."""
        return self.stored("tracks", TrackStore)

    @cached_property
    def trained(self) -> Trained | None:
        """The detector of an earlier training that this run uses; None without any.

        Raises:
            CheckpointError: If its checkpoint is damaged.
        """
        uses = self.makes & {"detections", "exported_detector"}
        path = self.stored("checkpoint", Path) if uses else None
        return None if path is None else describe(path)

    @cached_property
    def recordings(self) -> Mapping[str, Path] | None:
        """Recordings by key; None where the run reads none, or they cannot be known."""
        return self._raw("recordings")

    @cached_property
    def label_files(self) -> Mapping[str, Path] | None:
        """Label files by key of the recording, likewise."""
        return self._raw("label_files")

    @cached_property
    def labelled(self) -> Keys | None:
        """Recordings that will have labels when these are read, as far as is known by now."""
        if "labelled_frames" not in self.makes:
            return None if self.labelled_frames is None else frozenset(self.labelled_frames)
        if self.recordings is None or self.label_files is None:
            return None
        return frozenset(self.recordings) & frozenset(self.label_files)

    @cached_property
    def masked(self) -> Keys | None:
        """Recordings whose labels will have masks when these are read, likewise."""
        if "labelled_frames" not in self.makes:
            store = self.labelled_frames
            return None if store is None else frozenset(filter(store.has_masks, store))
        if self.label_files is None:
            return None
        dataset = self.dataset("label_files")
        if isinstance(dataset, SceneLabelsDataset):
            return frozenset(self.label_files if dataset.has_masks else ())
        return frozenset(key for key, path in self.label_files.items() if find_masks(path))

    @cached_property
    def encoded(self) -> Keys | None:
        """Recordings that will have representations when these are read, likewise."""
        if "histograms" not in self.makes:
            return None if self.histograms is None else frozenset(self.histograms)
        if self.recordings is None:
            return None
        return self.labelled if self.windows_need_labels else frozenset(self.recordings)

    @cached_property
    def detected(self) -> Keys | None:
        """Recordings that will have detections when these are read, likewise."""
        if "detections" not in self.makes:
            return None if self.detections is None else frozenset(self.detections)
        splits = self.parameter("predict", PredictSettings.model_validate).splits
        return None if self.encoded is None else of_splits(self.encoded, splits)

    @property
    def windows_need_labels(self) -> bool:
        """Whether only recordings with labels are encoded."""
        return isinstance(
            self.parameter("windows", WindowConfig.model_validate), label_aligned.Config
        )

    def _raw(self, name: str) -> Mapping[str, Path] | None:
        if name not in self.needs:
            return None
        dataset = self.dataset(name)
        if isinstance(dataset, _SIMULATED):
            return dataset.planned()
        return self.stored(name, dict) if isinstance(dataset, RawFolderDataset) else None


def of_splits(keys: Keys, splits: tuple[str, ...]) -> Keys:
    """The recordings of some splits."""
    return frozenset(in_splits(keys, splits))


def some(names: Mapping[str, object] | Keys | list[str], limit: int = 3) -> str:
    """The first names of many, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more
