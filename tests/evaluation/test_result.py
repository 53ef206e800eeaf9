import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import etram_pipeline.evaluation
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation import compare, evaluate
from etram_pipeline.evaluation.result import Metrics, flatten_metrics

Evaluate = Callable[..., Metrics]


@pytest.fixture
def evaluate_random(random_tables: Callable[..., Any]) -> Evaluate:
    """Evaluates random tables, of which every `step`-th detection."""

    def run(
        protocol: str,
        *,
        step: int = 1,
        num_recordings: int = 2,
        class_names: tuple[str, ...] | None = None,
    ) -> Metrics:
        labels, detections = random_tables(1, num_recordings=num_recordings)
        fewer = {name: table[::step] for name, table in detections.items()}
        return evaluate(labels, fewer, protocol, class_names)

    return run


def test_metrics_survive_writing(evaluate_random: Evaluate) -> None:
    metrics = evaluate_random("coco")
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics


def test_names_carry_the_protocol(evaluate_random: Evaluate) -> None:
    metrics = evaluate_random("coco", class_names=("car", "tram", "big dog!"))
    flat = flatten_metrics(metrics, "val")
    assert flat["val/coco/AP"] == metrics.overall["AP"]
    assert flat["val/coco/car/AP_50"] == metrics.per_class["car"].metrics["AP_50"]
    assert flat["val/coco/night/AP"] == metrics.groups["night"]["AP"]
    assert "val/coco/big dog:21:/AP" in flat


def test_what_has_no_ground_truth_is_not_logged(evaluate_random: Evaluate) -> None:
    flat = flatten_metrics(evaluate_random("etram_8class"))
    assert "test/etram_8class/car/AP" in flat
    assert "test/etram_8class/wheelchair/AP" not in flat


def test_results_of_one_protocol_are_compared(evaluate_random: Evaluate) -> None:
    before, after = evaluate_random("coco", step=2), evaluate_random("coco")
    changes = compare(before, after)
    assert changes["AP"] == after.overall["AP"] - before.overall["AP"]
    assert changes["class_1/AP"] != 0


def test_results_of_different_protocols_are_not_compared(evaluate_random: Evaluate) -> None:
    with pytest.raises(ProtocolError, match=r"'coco' cannot be compared.*'rvt_gen1': .*start_us"):
        compare(evaluate_random("coco"), evaluate_random("rvt_gen1"))


def test_results_on_different_labels_are_not_compared(evaluate_random: Evaluate) -> None:
    with pytest.raises(ProtocolError, match="on the same recordings and labels"):
        compare(evaluate_random("coco"), evaluate_random("coco", num_recordings=3))


def test_settings_and_metrics_load_nothing_heavy() -> None:
    script = (
        "import sys, etram_pipeline.evaluation.settings, etram_pipeline.evaluation.result;"
        "print({'numpy', 'pandas', 'torch', 'pycocotools'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_name_the_package_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'score'"):
        etram_pipeline.evaluation.score  # noqa: B018
