"""Parameters of ground truth."""

import pytest
from pydantic import ValidationError

from etram_pipeline.labels.settings import LabelSettings


def test_filters_are_told_by_their_kind() -> None:
    settings = LabelSettings.model_validate({"filters": [{"kind": "minimum_size", "side_px": 7}]})

    assert settings.filters[0].model_dump() == {
        "kind": "minimum_size",
        "side_px": 7,
        "diagonal_px": 0,
    }


def test_settings_survive_being_written_and_read() -> None:
    settings = LabelSettings.model_validate(
        {"filters": [{"kind": "maximum_width", "fraction": 0.5}, {"kind": "group_classes"}]}
    )
    content = settings.model_dump(mode="json", serialize_as_any=True)

    assert LabelSettings.model_validate(content) == settings


def test_classes_cannot_be_selected_by_name_once_they_are_renumbered() -> None:
    kinds = [{"kind": "group_classes"}, {"kind": "select_classes", "class_names": ["car"]}]

    with pytest.raises(ValidationError, match="put select_classes before group_classes"):
        LabelSettings.model_validate({"filters": kinds})
    LabelSettings.model_validate({"filters": kinds[::-1]})
