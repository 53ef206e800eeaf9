"""A few recordings of the embedded scene, preprocessed as a preset asks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.project import configure_project

import etram_pipeline
from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.datasets.scene import SceneLabelsDataset, SceneRecordingsDataset
from etram_pipeline.datasets.stores import LabelledFramesDataset, RepresentationsDataset
from etram_pipeline.labels.label_sets import LabelSets
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.parameter_types import parameter_types
from etram_pipeline.pipelines.preprocess import nodes
from etram_pipeline.settings import CONFIG_LOADER_ARGS
from etram_pipeline.training.data import LabelledRecordings

CONF = Path(etram_pipeline.__file__).parents[2] / "conf"
"""The configuration of the source tree that is imported."""

SCENE = {"num_train": 4, "num_val": 0, "num_test": 0, "scene": {"duration_s": 2.5}}
"""Two recordings by day and two at night, long enough for two clips of a training step."""

INLINE = {"kind": "inline"}


def preset_parameters(preset: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Typed parameters of a preset in the default environment; `changes` come on top."""
    configure_project("etram_pipeline")
    options: dict[str, Any] = CONFIG_LOADER_ARGS
    loader = ConfigLoader(str(CONF), "local", {"preset": preset, **(changes or {})}, **options)
    types = parameter_types()
    return {key: types[key].model_validate(value) for key, value in loader["parameters"].items()}


def preprocessed(folder: Path, parameters: Mapping[str, Any]) -> LabelledRecordings:
    """Training recordings as the parameters ask for them, from `folder` if they are there."""
    scene: dict[str, Any] = {"path": str(folder / "scene"), "settings": SCENE, "executor": INLINE}
    recordings = SceneRecordingsDataset(**scene).load()
    label_files = SceneLabelsDataset(**scene).load()
    dataset, storage = parameters["dataset"], parameters["storage"]
    names = ("dataset", "labels", "windows", "representation")
    store = folder / fingerprint([parameters[name] for name in names])[:12]
    labelled = LabelledFramesDataset(path=str(store / "labels"), executor=INLINE)
    label_sets: LabelSets = parameters["label_sets"]
    labelled.save(
        nodes.describe_labelled_frames(
            recordings, label_files, dataset, label_sets, parameters["labels"], storage
        )
    )
    labels = labelled.load()
    frames = RepresentationsDataset(path=str(store / "frames"), executor=INLINE)
    frames.save(
        nodes.describe_histograms(
            recordings,
            labels,
            dataset,
            parameters["windows"],
            parameters["representation"],
            storage,
        )
    )
    return LabelledRecordings.choose(frames.load(), labels, list(labels))


def make_teacher(folder: Path, parameters: Mapping[str, Any]) -> Path:
    """A checkpoint of the detector at twice the resolution, with random weights."""
    recordings = preprocessed(folder, parameters)
    stored = next(iter(recordings.frames.values()))
    size = 2 * stored.height, 2 * stored.width
    config = parameters["detector"].model_copy(update={"input_size": size})
    names = parameters["dataset"].detected_classes
    teacher = Checkpoint(
        detector=config.build(stored.channels, len(names)),
        detector_config=config,
        in_channels=stored.channels,
        class_names=names,
        num_classes=len(names),
        encoding=stored.encoding,
        downsampled_by=stored.downsampled_by,
    )
    path = folder / "teacher.ckpt"
    write_checkpoint(path, teacher)
    return path
