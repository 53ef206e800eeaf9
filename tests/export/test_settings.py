import pytest
from pydantic import ValidationError

from etram_pipeline.export.settings import ExportSettings

PICTURE = {"kind": "polarity"}


def test_the_order_in_which_splits_and_formats_are_named_does_not_matter() -> None:
    settings = ExportSettings(picture=PICTURE, splits=("test", "train"), formats=("yolo", "coco"))
    assert settings.splits == ("train", "test")
    assert settings.formats == ("coco", "yolo")


@pytest.mark.parametrize(
    "changes", [{"splits": []}, {"splits": ["trian"]}, {"formats": ["voc"]}, {"every": 0}]
)
def test_what_cannot_be_exported_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        ExportSettings.model_validate({"picture": PICTURE, **changes})
