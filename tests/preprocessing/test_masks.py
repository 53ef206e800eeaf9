"""Labels with masks, from their files to the store."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core import etram
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.mask_column import write_masks
from etram_pipeline.core.run_lengths import RunLengths, encode_masks, mask_boxes
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.labels.masks import read_masks
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.preprocessing.labels import LabelJob, label_jobs
from etram_pipeline.scene.recordings import write_scene
from etram_pipeline.scene.settings import SceneRecordingsSettings, SceneSettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import LABELS

SCENE = SceneRecordingsSettings(
    scene=SceneSettings(height=96, width=160, duration_s=0.5, masks=True),
    num_train=1,
    num_val=0,
    num_test=0,
)
KEY = "train/train_day_0001"
DATASET = DatasetSettings(height=96, width=160, class_names=etram.CLASSES)
SETTINGS = LabelSettings.model_validate({"filters": [{"kind": "minimum_size", "side_px": 8}]})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A simulated recording with masks."""
    write_scene(tmp_path / "raw", SCENE, write_recording=write_etram_recording)
    return tmp_path / "raw"


def jobs(raw: Path) -> dict[str, LabelJob]:
    paths = raw / f"{KEY}_td.h5", raw / f"{KEY}_bbox.npy"
    return label_jobs({KEY: paths[0]}, {KEY: paths[1]}, DATASET, SETTINGS)


def run(raw: Path, root: Path) -> LabelStore:
    with InlineExecutor() as pool:
        build(root, LABELS, jobs(raw), pool, raise_failures=False)
    return LabelStore(root)


def digest(root: Path) -> str:
    return hashlib.sha256((root / KEY / LABELS / "labels.npz").read_bytes()).hexdigest()


def test_masks_are_stored_beside_the_boxes_that_filters_keep(raw: Path, tmp_path: Path) -> None:
    store = run(raw, tmp_path / "made")
    frames = store.with_masks()[KEY]
    num_all = len(np.load(raw / f"{KEY}_bbox.npy"))
    assert 0 < len(frames.labels) < num_all / 1.9
    assert set(read_masks(tmp_path / "made" / KEY / LABELS / "masks.json")[0]) == {"size", "counts"}
    corners = mask_boxes(frames.labels["mask"].tolist())
    left, top = frames.labels["x"], frames.labels["y"]
    assert (corners[:, 0] >= left - 1.5).all()
    assert (corners[:, 1] >= top - 1.5).all()
    assert (corners[:, 2] <= left + frames.labels["w"] + 1.5).all()
    assert (corners[:, 3] <= top + frames.labels["h"] + 1.5).all()


def test_stored_boxes_do_not_depend_on_masks(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "masked")
    (raw / f"{KEY}_masks.json").unlink()
    plain = run(raw, tmp_path / "plain")
    assert digest(tmp_path / "plain") == digest(tmp_path / "masked")
    assert not plain.has_masks(KEY)
    assert not (tmp_path / "plain" / KEY / LABELS / "masks.json").exists()


def test_labels_are_made_again_when_masks_come_change_or_go(raw: Path, tmp_path: Path) -> None:
    made = tmp_path / "made" / KEY / LABELS
    path = raw / f"{KEY}_masks.json"
    masks = read_masks(path)
    path.unlink()
    run(raw, tmp_path / "made")
    before = (made / "settings.json").stat().st_mtime_ns
    run(raw, tmp_path / "made")
    assert (made / "settings.json").stat().st_mtime_ns == before
    write_masks(path, masks)
    assert run(raw, tmp_path / "made").has_masks(KEY)
    stored = (made / "masks.json").read_text()
    write_masks(path, encode_masks(np.zeros((len(masks), 96, 160), bool)))
    run(raw, tmp_path / "made")
    assert (made / "masks.json").read_text() != stored
    path.unlink()
    assert not run(raw, tmp_path / "made").has_masks(KEY)


def test_a_lost_file_of_stored_masks_is_made_again(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "made")
    (tmp_path / "made" / KEY / LABELS / "masks.json").unlink()
    assert run(raw, tmp_path / "made").has_masks(KEY)


def test_jobs_without_masks_are_those_of_before_masks_existed(raw: Path) -> None:
    (raw / f"{KEY}_masks.json").unlink()
    (job,) = jobs(raw).values()
    assert job.inputs == (job.recording_path, job.label_path)
    assert [Path(name).name for name in job.outputs] == [
        "labels.npz",
        "timestamps_us.npy",
        "settings.json",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda masks: masks[:-1], "give one mask for each row"),
        (lambda masks: masks[::-1], "lie outside their boxes"),
        (lambda masks: [{**masks[0], "counts": masks[0]["counts"][:-1]}, *masks[1:]], "damaged"),
        (lambda masks: encode_masks(np.zeros((len(masks), 48, 80), bool)), "px of the sensor"),
    ],
)
def test_masks_that_do_not_fit_are_a_failure_of_the_recording(
    raw: Path,
    tmp_path: Path,
    change: Callable[[list[RunLengths]], list[RunLengths]],
    message: str,
) -> None:
    path = raw / f"{KEY}_masks.json"
    write_masks(path, change(read_masks(path)))
    with InlineExecutor() as pool:
        build(tmp_path / "made", LABELS, jobs(raw), pool, raise_failures=False)
    failure = LabelStore(tmp_path / "made").failed[KEY]
    assert failure.error == "LabelError"
    assert message in failure.message
    assert str(path) in failure.message
