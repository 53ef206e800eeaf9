from dataclasses import replace

from etram_pipeline.scene.plan import plan_recordings
from etram_pipeline.scene.settings import SceneRecordingsSettings


def keys(settings: SceneRecordingsSettings) -> list[str]:
    return [each.key for each in plan_recordings(settings)]


def test_nights_are_numbered_apart_from_days() -> None:
    settings = SceneRecordingsSettings(num_train=5, num_val=0, num_test=1, night_fraction=0.4)
    assert keys(settings) == [
        "train/train_day_0001",
        "train/train_day_0002",
        "train/train_day_0003",
        "train/train_night_0001",
        "train/train_night_0002",
        "test/test_day_0001",
    ]


def test_only_nights_are_simulated_by_night() -> None:
    planned = plan_recordings(SceneRecordingsSettings())
    assert all(each.settings.night == ("night" in each.key) for each in planned)
    assert {each.settings.night for each in planned} == {False, True}


def test_every_recording_has_its_own_seed() -> None:
    planned = plan_recordings(SceneRecordingsSettings(num_train=50, num_val=50, num_test=50))
    assert len({each.seed for each in planned}) == 150


def test_other_seed_changes_every_recording() -> None:
    ones = plan_recordings(SceneRecordingsSettings())
    others = plan_recordings(SceneRecordingsSettings(seed=1))
    assert not {each.seed for each in ones} & {each.seed for each in others}


def test_fingerprint_changes_with_every_setting_and_the_seed() -> None:
    (one,) = plan_recordings(SceneRecordingsSettings(num_train=1, num_val=0, num_test=0))
    changes = {"threshold": 0.3, "density": 2.0, "step_us": 2000, "night": True, "height": 100}
    others = [
        replace(one, settings=one.settings.model_copy(update={name: value}))
        for name, value in changes.items()
    ]
    others.append(replace(one, seed=one.seed + 1))
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 7
