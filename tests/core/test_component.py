import pytest
from pydantic import ValidationError

from etram_pipeline.core.component import Settings, kinds, nearest
from etram_pipeline.labels.filters import FilterConfig
from etram_pipeline.training.optimizers import OptimizerConfig


class Optimizer(Settings):
    learning_rate: float = 0.1


class Training(Settings):
    optimizer: Optimizer = Optimizer()


def test_a_misspelt_key_names_the_nearest_right_one() -> None:
    with pytest.raises(ValidationError, match="unknown key 'learning_rat'; did you mean 'learning"):
        Training.model_validate({"optimizer": {"learning_rat": 3}})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Optimizer().learning_rate = 3  # type: ignore[misc]


def test_a_family_returns_the_part_its_kind_names() -> None:
    part = FilterConfig.model_validate({"kind": "minimum_size", "side_px": 7})
    assert type(part).__module__.endswith("minimum_size")


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ValidationError, match="did you mean 'minimum_size'"):
        FilterConfig.model_validate({"kind": "minimum_siz"})


def test_the_nearest_name_may_be_written_in_other_letters() -> None:
    assert nearest("YOLO", ["coco", "yolo"]) == "yolo"
    assert nearest("train", ["Trains"]) == "Trains"
    assert nearest("xyz", ["coco", "yolo"]) is None


def test_a_missing_kind_lists_the_parts() -> None:
    with pytest.raises(ValidationError, match=r"`kind` is missing.*minimum_size"):
        FilterConfig.model_validate({"side_px": 7})


def test_a_part_refuses_keys_of_another_part() -> None:
    with pytest.raises(ValidationError, match="unknown key 'fraction'"):
        FilterConfig.model_validate({"kind": "minimum_size", "fraction": 0.5})


def test_every_module_of_a_family_is_a_part() -> None:
    for kind in kinds(FilterConfig.package):
        assert kind.isidentifier()


def test_a_part_inside_other_settings_survives_a_round_trip() -> None:
    class Holder(Settings):
        parts: tuple[FilterConfig, ...]

    holder = Holder.model_validate({"parts": [{"kind": "minimum_size", "side_px": 7}]})
    dumped = holder.model_dump(serialize_as_any=True)
    assert Holder.model_validate(dumped) == holder


def test_a_key_of_settings_further_down_is_told_with_its_place() -> None:
    with pytest.raises(ValidationError, match=r"'warmup'; did you mean 'schedule\.warmup'"):
        OptimizerConfig.model_validate({"warmup": 0.1})
