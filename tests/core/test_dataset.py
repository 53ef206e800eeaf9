"""Classes of a dataset that contradict themselves."""

from typing import Any

import pytest
from pydantic import ValidationError

from etram_pipeline.core.dataset import DatasetSettings


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"class_names": ("car", "bus", "car")}, r"give \['car'\] to several class ids"),
        ({"class_names": ("car", " ")}, "leave a class without a name"),
        ({"class_groups": {"vehicle": ("lorry",)}}, r"class_groups name \['lorry'\]"),
        ({"class_groups": {"a": ("car",), "b": ("car",)}}, "a class into two groups"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(
    changes: dict[str, Any], description: str
) -> None:
    settings: dict[str, Any] = {"height": 720, "width": 1280, "class_names": ("car", "bus")}
    with pytest.raises(ValidationError, match=description):
        DatasetSettings(**settings | changes)
