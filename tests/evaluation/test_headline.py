"""Which metrics of a run matter most."""

from etram_pipeline.core.mappings import flatten
from etram_pipeline.evaluation.headline import headline
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.training.settings import ValidationSettings

METRICS = ["test/etram_8class/AP", "test/etram_8class/AP_50", "val/etram_8class/AP"]
PARAMETERS = {
    "evaluate.split": "test",
    "evaluate.protocols": ["etram_8class", "coco"],
    "train.validation.protocol": "etram_8class",
}


def test_the_headline_is_that_of_the_first_protocol() -> None:
    assert headline(PARAMETERS) == METRICS
    assert headline({**PARAMETERS, "evaluate.split": "val"})[0] == "val/etram_8class/AP"
    assert headline({}) == []
    # As a run has them, protocols are told in full.
    evaluate = EvaluateSettings.model_validate({"protocols": ["etram_8class", "coco"]})
    in_full = flatten({"evaluate": evaluate, "train": {"validation": {"protocol": "coco"}}})
    assert headline(in_full)[:2] == ["test/etram_8class/AP", "test/etram_8class/AP_50"]


def test_a_protocol_written_out_is_monitored_under_its_name() -> None:
    fields = {"like": "coco", "name": "mine", "class_groups": {"any": ["car", "bus"]}}
    validation = ValidationSettings.model_validate({"protocol": fields})
    assert headline(flatten({"train": {"validation": validation}})) == ["val/mine/AP"]


def test_parameters_that_are_not_valid_name_nothing() -> None:
    assert headline({"evaluate.protocols": ["etram8"], "evaluate.split": "test"}) == []
