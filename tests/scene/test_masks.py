"""Masks of road users, against the pictures that the sensor sees."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.scene.test_labels import square, users

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.mask_column import without_masks
from etram_pipeline.core.run_lengths import decode_masks
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.labels.masks import find_masks, read_masked_labels, read_masks
from etram_pipeline.scene import recordings as module
from etram_pipeline.scene.labels import label_frame
from etram_pipeline.scene.masks import SOLID, cover_visible
from etram_pipeline.scene.placement import Placed, join_poses, join_sprites
from etram_pipeline.scene.scene import Scene
from etram_pipeline.scene.sensor import expose
from etram_pipeline.scene.settings import SceneRecordingsSettings, SceneSettings

write_scene = partial(module.write_scene, write_recording=write_etram_recording)

SENSOR = SceneSettings(height=384, width=640, min_visible=0.3, masks=True)
SMALL = SceneSettings(height=96, width=160, duration_s=0.2, masks=True)
ONE = SceneRecordingsSettings(scene=SMALL, num_train=1, num_val=0, num_test=0)


def masks_of(*placed: Placed) -> np.ndarray:
    table = label_frame(33_333, users(len(placed)), placed, SENSOR)
    return decode_masks(table["mask"].tolist(), 384, 640)


def filled(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((384, 640), bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_square_has_a_square_mask() -> None:
    (mask,) = masks_of(square(100, 50))
    np.testing.assert_array_equal(mask, filled(100, 50, 120, 70))


def test_pixels_behind_a_nearer_road_user_are_not_in_the_mask() -> None:
    farther, nearer = masks_of(square(100, 50), square(110, 50))
    np.testing.assert_array_equal(farther, filled(100, 50, 110, 70))
    np.testing.assert_array_equal(nearer, filled(110, 50, 130, 70))


def test_road_users_without_a_label_hide_others() -> None:
    tiny = square(104, 54, scale=0.4)  # 8 px, too small for a label
    (farther,) = masks_of(square(100, 50), tiny)
    np.testing.assert_array_equal(farther, filled(100, 50, 120, 70) & ~filled(104, 54, 112, 62))


def test_a_mask_ends_at_the_border() -> None:
    (mask,) = masks_of(square(-8, 50))
    np.testing.assert_array_equal(mask, filled(0, 50, 12, 70))


@pytest.mark.parametrize("night", [False, True])
def test_a_mask_is_what_the_sensor_sees_of_a_road_user(*, night: bool) -> None:
    scene = Scene(SceneSettings(night=night, masks=True), seed=3)
    users, placed = scene._present(np.array([0.5]))
    assert len(users) > 5
    for each in placed:
        # A black sprite on white leaves what it does not cover, in the frame that masks take.
        phase = int(each.phase[0] + 0.5) % len(each.sprite.frames) / len(each.sprite.frames)
        frames = each.sprite.frames[:, :2].copy()
        frames[:, 0] = 0
        black = Placed(
            sprite=type(each.sprite)(**vars(each.sprite) | {"frames": frames}),
            left=each.left,
            top=each.top,
            scale=each.scale,
            cycle=np.array([phase]),
        )
        picture = np.ones((384, 640), np.float32)
        expose(picture, join_sprites(black.sprite), join_poses([black], 1, lag=0))
        mask = cover_visible(each, np.zeros((384, 640), bool))
        differs = mask != (1 - picture > SOLID)
        assert np.count_nonzero(differs) <= 2  # rounding at the threshold


def test_masks_change_neither_events_nor_boxes() -> None:
    masked, plain = Scene(SMALL, 5), Scene(SMALL.model_copy(update={"masks": False}), 5)
    assert len(plain.labels)
    assert without_masks(masked.labels).dtype == plain.labels.dtype
    np.testing.assert_array_equal(without_masks(masked.labels), plain.labels)
    for ours, theirs in zip(masked.stream(), plain.stream(), strict=True):
        np.testing.assert_array_equal(ours.t_us, theirs.t_us)


def test_settings_without_masks_are_as_before_masks_existed() -> None:
    assert "masks" not in SceneSettings().model_dump()
    assert SceneSettings.model_validate(SENSOR.model_dump()).masks


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*/*")}


def test_masks_lie_beside_their_boxes(tmp_path: Path) -> None:
    write_scene(tmp_path, ONE)
    boxes = tmp_path / "train/train_day_0001_bbox.npy"
    masks = find_masks(boxes)
    assert masks == tmp_path / "train/train_day_0001_masks.json"
    assert len(read_masks(masks)) == len(np.load(boxes)) == len(read_masked_labels(boxes, masks))


def test_masks_come_and_go_with_the_setting(tmp_path: Path) -> None:
    plain = ONE.model_copy(update={"scene": SMALL.model_copy(update={"masks": False})})
    write_scene(tmp_path, plain)
    before = digests(tmp_path)
    write_scene(tmp_path, ONE)
    masked = digests(tmp_path)
    assert masked.keys() - before.keys() == {"train_day_0001_masks.json"}
    assert {name: masked[name] for name in before} == before
    write_scene(tmp_path, plain)
    assert digests(tmp_path) == before


def test_a_lost_file_of_masks_is_written_again(tmp_path: Path) -> None:
    write_scene(tmp_path, ONE)
    before = digests(tmp_path)
    (tmp_path / "train/train_day_0001_masks.json").unlink()
    write_scene(tmp_path, ONE)
    assert digests(tmp_path) == before


def test_masks_that_were_not_simulated_are_never_replaced(tmp_path: Path) -> None:
    own = tmp_path / "train/train_day_0001_masks.json"
    own.parent.mkdir()
    own.write_text("[]")
    with pytest.raises(RecordingError, match="was not made by the simulator"):
        write_scene(tmp_path, ONE)
    assert own.read_text() == "[]"
