from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.protocol import COCO_IOU_THRESHOLDS, Protocol
from etram_pipeline.evaluation.protocols import NAMED, resolve_protocol
from etram_pipeline.evaluation.settings import EvaluateSettings


def test_thresholds_that_were_added_up_are_those_meant() -> None:
    added_up = Protocol(name="x", iou_thresholds=tuple(np.arange(0.5, 1, 0.05).tolist()))
    assert 0.75 not in added_up.iou_thresholds
    assert added_up.index_of(0.75) == 5
    assert added_up.index_of(0.74) is None
    assert added_up.curve_iou == 0.5


def test_iou_thresholds_are_cocos_to_the_last_bit() -> None:
    assert np.linspace(0.5, 0.95, 10).tolist() == list(COCO_IOU_THRESHOLDS)


@pytest.mark.parametrize("name", NAMED)
def test_every_named_protocol_survives_writing(name: str) -> None:
    protocol = NAMED[name]
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol
    assert resolve_protocol(name) is protocol
    assert protocol.description.endswith(".")


@pytest.mark.parametrize("name", NAMED)
def test_every_named_protocol_is_explained(name: str) -> None:
    page = Path(__file__).parents[2] / "docs/evaluation.md"
    assert f"`{name}`" in page.read_text()


def test_a_protocol_may_differ_from_a_known_one() -> None:
    protocol = resolve_protocol({"like": "rvt_gen4", "name": "mine", "tolerance_us": 3})
    assert protocol.tolerance_us == 3
    assert protocol.min_diagonal_px == NAMED["rvt_gen4"].min_diagonal_px
    assert protocol.description == ""


def test_a_known_name_with_another_meaning_is_refused() -> None:
    with pytest.raises(ProtocolError, match="'coco' means another protocol"):
        resolve_protocol({"name": "coco", "tolerance_us": 3})


def test_a_difference_needs_a_name() -> None:
    with pytest.raises(ProtocolError, match="needs a name of its own"):
        resolve_protocol({"like": "coco"})


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"tolerence_us": 3}, "did you mean 'tolerance_us'"),
        ({"iou_thresholds": ()}, "at least 1 item"),
        ({"iou_thresholds": (0.0, 0.2)}, "do not ascend within 0 and 1"),
        ({"iou_thresholds": (0.75, 0.5)}, "do not ascend"),
        ({"iou_thresholds": (0.5, 1.5)}, "do not ascend"),
        ({"max_detections": (10, 1)}, "do not ascend"),
        ({"max_detections": (0, 1)}, "at least 1"),
        ({"area_ranges": {"S": (9, 4)}}, "area_ranges"),
        ({"area_ranges": {"50": (0, 9)}}, "are numbers, as in AP_50"),
        ({"pixel_scale": float("inf")}, "finite number"),
        ({"class_names": ("a", "a")}, "twice"),
        ({"class_names": ("a",), "class_groups": {"b": ("c",)}}, "exclude each other"),
        ({"class_groups": {"b": ("c",), "d": ("c",)}}, "two groups"),
        ({"classes_by": "id"}, "needs class_names"),
    ],
)
def test_fields_that_cannot_be_are_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        resolve_protocol({"name": "x"} | fields)


def test_settings_name_or_describe_their_protocols() -> None:
    settings = EvaluateSettings.model_validate(
        {"protocols": ["etram_fork", {"like": "coco", "name": "strict", "frames": "all"}]}
    )
    assert [protocol.name for protocol in settings.protocols] == ["etram_fork", "strict"]
    assert EvaluateSettings.model_validate_json(settings.model_dump_json()) == settings
    assert EvaluateSettings.model_validate({"protocols": "coco"}).protocols == (NAMED["coco"],)


@pytest.mark.parametrize(
    ("protocols", "complaint"),
    [
        (["etram8"], "did you mean 'etram_8class'"),
        (["coco", "coco"], "asked for twice"),
        ([], "at least 1 item"),
        (3, "valid tuple"),
        ([3], "Protocol"),
    ],
)
def test_settings_that_cannot_be_are_refused(protocols: object, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        EvaluateSettings.model_validate({"protocols": protocols})
