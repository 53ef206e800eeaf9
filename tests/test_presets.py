"""Every preset is what it is named after, and trains."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import PROJECT, OpenSession
from tests.label_sets import LABEL_SETS

from etram_pipeline.core import etram
from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.recordings import LabelFilesDataset, RecordingsDataset
from etram_pipeline.datasets.stores import LabelledFramesDataset, RepresentationsDataset
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import read_checkpoint, write_checkpoint
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.pipelines.preprocess import nodes
from etram_pipeline.scene.recordings import write_scene
from etram_pipeline.scene.settings import SceneRecordingsSettings, SceneSettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.settings import TrainSettings

PRESETS = sorted(path.stem for path in (PROJECT / "conf" / "presets").glob("*.yml"))
OF_RVT = {"rvt_tiny": 4_406_311, "rvt_small": 9_871_911, "rvt_base": 18_538_791}
"""Parameters with eight classes and 20 channels. Source: RVT, counted on its own models."""

OF_NO_EXPERIMENT = {
    *("three_classes", "grouped_labels", "rvt_nano", "yolox", "rtdetr_frames", "rtdetr_memory"),
    *("faster_rcnn_baseline", "faster_rcnn_multiscale", "faster_rcnn_focal", "faster_rcnn_small"),
    *("adaptive_size", "hard_negatives"),
    *("temporal_consistency", "motion_direction"),
    *("squeeze_excitation", "deformable", "event_density", "cross_attention"),
    *("vtei", "voxel_grid", "time_surface"),
}

SHRUNK = 4
"""How many times smaller than that of the embedded scene the sensor is here."""

Parameters = dict[str, Any]

READ: dict[tuple[str, str | None], Parameters] = {}
"""Parameters of the runs so far, by environment and preset."""


def parameters_of(session: OpenSession, env: str, preset: str | None) -> Parameters:
    """Validated parameters of a run, read once."""
    if (env, preset) not in READ:
        chosen = {} if preset is None else {"preset": preset}
        with session(env, **chosen) as active:
            READ[env, preset] = active.load_context().params
    return READ[env, preset]


def build(parameters: Parameters) -> Detector:
    """The detector of a run on its representation and 1000 boxes of each class, unfilled."""
    config, names = parameters["detector"], parameters["dataset"].detected_classes
    assert isinstance(config, DetectorConfig)
    known = config.for_classes(TrainingClasses(names, (1000,) * len(names)))
    with torch.device("meta"):  # weights are counted here, not used
        channels = parameters["representation"].channels
        return known.build(in_channels=channels, num_classes=len(names))


def documented() -> dict[str, tuple[int, int]]:
    """Parameters of each preset in the environments `etram` and `local`, as a page says."""
    page = (PROJECT / "docs" / "variants.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d ]+) \| ([\d ]+) \|$", page, re.MULTILINE)
    return {
        name: (int(wide.replace(" ", "")), int(nano.replace(" ", ""))) for name, wide, nano in rows
    }


def test_every_preset_is_documented() -> None:
    assert sorted(documented()) == PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_have_the_documented_sizes(session: OpenSession, preset: str) -> None:
    for env, size in zip(("etram", "local"), documented()[preset], strict=True):
        detector = build(parameters_of(session, env, preset))
        assert sum(weight.numel() for weight in detector.parameters()) == size
        if preset in OF_RVT:
            assert size == OF_RVT[preset]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_say_in_two_lines_what_they_test_and_what_was_published(preset: str) -> None:
    first, second, *_ = (PROJECT / "conf" / "presets" / f"{preset}.yml").read_text().splitlines()
    assert first.startswith("# ")
    if preset in OF_NO_EXPERIMENT:
        return
    if preset.startswith("rf_detr"):  # of experiments with other cameras
        assert ".[detr]" in second
        return
    assert second.startswith("# Published")
    assert "protocol" in second


def test_the_full_scale_run_trains_rvt_base_as_published(session: OpenSession) -> None:
    parameters = parameters_of(session, "etram", None)
    assert sum(w.numel() for w in build(parameters).parameters()) == OF_RVT["rvt_base"]
    assert parameters["train"].max_steps == 400_000
    assert parameters["representation"].downsample == "nearest"


@pytest.mark.parametrize("preset", OF_RVT)
def test_rvt_presets_bring_their_schedule_to_any_environment(
    session: OpenSession, preset: str
) -> None:
    of_etram = parameters_of(session, "etram", preset)["train"]
    of_scene = parameters_of(session, "local", preset)["train"]
    for name in ("max_steps", "lanes", "clip_length", "sampling", "optimizer", "average_decay"):
        assert getattr(of_scene, name) == getattr(of_etram, name), name
    default = parameters_of(session, "etram", None)["train"]
    assert of_etram.outcome() == default.outcome()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of the embedded scene with a small sensor, in eight and in three classes."""
    root = tmp_path_factory.mktemp("scene")
    settings = SceneRecordingsSettings(
        num_train=2,
        num_val=0,
        num_test=0,
        scene=SceneSettings(
            height=384 // SHRUNK, width=640 // SHRUNK, duration_s=0.8, min_side_px=8
        ),
    )
    write_scene(root / "recordings", settings, write_recording=write_etram_recording)
    group_of = {
        etram.CLASSES.index(name): index
        for index, names in enumerate(etram.SUPER_CLASSES.values())
        for name in names
    }
    for path in (root / "recordings").rglob("*_bbox.npy"):
        labels = np.load(path)
        labels["class_id"] = [group_of[class_id] for class_id in labels["class_id"]]
        grouped = root / "grouped" / path.relative_to(root / "recordings")
        grouped.parent.mkdir(parents=True, exist_ok=True)
        np.save(grouped, labels)
    return root


@pytest.fixture(scope="module")
def preprocess(
    scene: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Parameters], LabelledRecordings]:
    """Makes what a run trains on, once for all runs that preprocess alike."""
    made: dict[str, LabelledRecordings] = {}

    def stores(parameters: Parameters) -> LabelledRecordings:
        folder = tmp_path_factory.mktemp("stores")
        dataset = parameters["dataset"]
        recordings = RecordingsDataset(path=str(scene / "recordings")).load()
        files = LabelFilesDataset(path=str(scene / labels_of(dataset))).load()
        storage, inline = parameters["storage"], {"kind": "inline"}
        labelled = LabelledFramesDataset(path=str(folder / "labels"), executor=inline)
        labelled.save(
            nodes.describe_labelled_frames(
                recordings, files, dataset, LABEL_SETS, parameters["labels"], storage
            )
        )
        labels: LabelStore = labelled.load()
        encoded = RepresentationsDataset(path=str(folder / "histograms"), executor=inline)
        encoded.save(
            nodes.describe_histograms(
                recordings,
                labels,
                dataset,
                parameters["windows"],
                parameters["representation"],
                storage,
            )
        )
        frames: RepresentationStore = encoded.load()
        return LabelledRecordings.choose(frames, labels, list(frames))

    def once(parameters: Parameters) -> LabelledRecordings:
        names = ("dataset", "labels", "windows", "representation")
        key = str([parameters[name].model_dump(serialize_as_any=True) for name in names])
        if key not in made:
            made[key] = stores(parameters)
        return made[key]

    return once


def labels_of(dataset: DatasetSettings) -> str:
    """The folder whose label files hold the classes that a run names."""
    return "recordings" if len(dataset.class_names) == len(etram.CLASSES) else "grouped"


SMALLER: dict[str, dict[str, object]] = {
    "rf_detr": {
        "input_size": (96, 160),
        "num_queries": 30,
        "encoder_layers": 4,
        "encoder_dim": 64,
    },
}
"""Settings of detectors that are too slow for a test, whatever the size of the sensor."""


def shrunk(config: DetectorConfig) -> DetectorConfig:
    """The same detector, which resizes frames to sizes that are as much smaller as the sensor."""
    if config.kind in SMALLER:
        return config.model_copy(update=SMALLER[config.kind])
    size = getattr(config, "input_size", None)
    if size is None:
        return config
    return config.model_copy(update={"input_size": tuple(side // SHRUNK for side in size)})


def three_steps(settings: TrainSettings) -> TrainSettings:
    """The same training, but short and on one core."""
    given = settings.model_dump(serialize_as_any=True)
    given |= {"max_steps": 3, "lanes": 1, "clip_length": 2, "workers": 0, "precision": "32"}
    return TrainSettings.model_validate(given | {"accelerator": "cpu"})


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains_and_its_checkpoint_comes_back(
    session: OpenSession,
    preprocess: Callable[[Parameters], LabelledRecordings],
    tmp_path: Path,
    preset: str,
) -> None:
    parameters = parameters_of(session, "local", preset)
    recordings = preprocess(parameters)
    names = parameters["dataset"].detected_classes
    config = shrunk(parameters["detector"])
    path = fit(
        train=recordings,
        val=LabelledRecordings({}, {}),
        blueprint=Blueprint(detector=config, class_names=names),
        settings=three_steps(parameters["train"]),
        work_dir=tmp_path / "training",
    )
    losses = [
        value
        for _, name, value in read_history(tmp_path / "training" / HISTORY)
        if name == "train/loss"
    ]
    assert np.isfinite(losses).all()

    read = read_checkpoint(path)
    counts = tuple(recordings.count_classes(len(names)).num_boxes.tolist())
    assert read.detector_config == config.for_classes(TrainingClasses(names, counts))
    saved = torch.load(path, weights_only=False)["state_dict"]
    for name, weight in read.detector.state_dict().items():
        assert torch.equal(weight, saved[f"detector.{name}"])
    write_checkpoint(tmp_path / "again.ckpt", read)
    again = read_checkpoint(tmp_path / "again.ckpt")
    batch = SequenceBatch(
        frames=torch.from_numpy(next(iter(recordings.frames.values())).read(0, 2)[:, None]),
        starts=torch.tensor([True]),
        keyframes=torch.tensor([[0, 0], [1, 0]]),
    )
    with torch.inference_mode():
        first, second = (
            found.detector.detect(batch, (), SuppressionSettings(score_threshold=0))[0]
            for found in (read, again)
        )
    for ours, theirs in zip(first, second, strict=True):
        assert torch.equal(ours.scores, theirs.scores)
        assert torch.equal(ours.boxes_xyxy, theirs.boxes_xyxy)
        assert len(ours.scores) > 0
        assert torch.isfinite(ours.scores).all()


def test_etram_trains_as_rvt_does_whatever_the_scene_needs(session: OpenSession) -> None:
    found = parameters_of(session, "etram", None)["train"]
    reference = TrainSettings()
    for name in ("stream_augmentation", "random_augmentation", "sampling", "clip_length", "lanes"):
        assert getattr(found, name) == getattr(reference, name), name
    assert parameters_of(session, "etram", None)["labels"].frame_interval_ms == 100
