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

FEW = {"num_train": 4, "num_val": 0, "num_test": 0}
"""Two recordings by day and two at night."""

DURATION_S = 2.5
INLINE = {"kind": "inline"}


class SmallScene:
    """The scene of an environment, shortened, with the parameters of presets there."""

    def __init__(self, folder: Path, env: str = "local") -> None:
        """Keep recordings and what is made of them in `folder`, and use what it holds."""
        self.folder, self._env = folder / env, env

    def parameters(self, preset: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Typed parameters of a preset; `changes` come on top."""
        raw = self._loader({"preset": preset, **(changes or {})})["parameters"]
        types = parameter_types()
        return {key: types[key].model_validate(value) for key, value in raw.items()}

    def preprocessed(self, parameters: Mapping[str, Any]) -> LabelledRecordings:
        """Training recordings as the parameters ask for them."""
        settings = self._loader({})["catalog"]["recordings"].get("settings", {})
        settings = (
            settings | FEW | {"scene": settings.get("scene", {}) | {"duration_s": DURATION_S}}
        )
        scene: dict[str, Any] = {"path": str(self.folder / "scene"), "settings": settings}
        recordings = SceneRecordingsDataset(**scene, executor=INLINE).load()
        label_files = SceneLabelsDataset(**scene, executor=INLINE).load()
        dataset, storage = parameters["dataset"], parameters["storage"]
        names = ("dataset", "labels", "windows", "representation")
        store = self.folder / fingerprint([parameters[name] for name in names])[:12]
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

    def _loader(self, runtime: dict[str, Any]) -> ConfigLoader:
        configure_project("etram_pipeline")
        options: dict[str, Any] = CONFIG_LOADER_ARGS
        return ConfigLoader(str(CONF), self._env, runtime, **options)


def write_teacher(scene: SmallScene, preset: str) -> Path:
    """A checkpoint of a preset's detector at twice the resolution, with random weights."""
    parameters = scene.parameters(preset)
    stored = next(iter(scene.preprocessed(parameters).frames.values()))
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
    path = scene.folder / "teacher.ckpt"
    write_checkpoint(path, teacher)
    return path
