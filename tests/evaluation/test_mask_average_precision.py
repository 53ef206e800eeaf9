"""Average precision of masks: known answers, and pycocotools called directly."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tests.evaluation.conftest import Tables, rectangles

from etram_pipeline.core.errors import LabelError, ProtocolError
from etram_pipeline.core.mask_column import with_masks
from etram_pipeline.core.run_lengths import encode_masks, mask_area
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Engine
from etram_pipeline.evaluation.metrics.mask_average_precision import Config
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.result import Metrics, flatten_metrics
from etram_pipeline.labels.table import LabelTable

Make = Callable[..., Any]
ENGINES: tuple[Engine, ...] = ("compiled", "pycocotools", "faster_coco_eval")
MASKS = Protocol.model_validate({"name": "masks", "metrics": [{"kind": "mask_average_precision"}]})
HEIGHT, WIDTH = 40, 60


def drawn(*pictures: Iterable[tuple[int, int, int, int]]) -> list[Any]:
    """A mask of each picture, made of rectangles: left, top, right, bottom."""
    masks = np.zeros((len(pictures), HEIGHT, WIDTH), bool)
    for mask, picture in zip(masks, pictures, strict=True):
        for left, top, right, bottom in picture:
            mask[top:bottom, left:right] = True
    return encode_masks(masks)


@pytest.fixture
def measure(label_table: Make, detection_table: Make) -> Callable[..., Metrics]:
    """Scores masks of one class in one frame, all in the same box; the first mask scores best."""

    def run(
        truth: list[Any], found: list[Any], engine: Engine = "compiled", **changes: object
    ) -> Metrics:
        labels = with_masks(label_table(*[(7, 0, 0, 20, 20, 0)] * len(truth)), truth)
        rows = [(7, 0, 0, 20, 20, 0, 0.9 - 0.1 * rank) for rank in range(len(found))]
        detections = with_masks(detection_table(*rows), found)
        protocol = Protocol.model_validate(MASKS.model_dump() | changes)
        return evaluate({"a": labels}, {"a": detections}, protocol, engine=engine)

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_the_overlap_of_masks_counts_not_that_of_boxes(
    measure: Callable[..., Metrics], engine: Engine
) -> None:
    halves = drawn([(0, 0, 10, 20)]), drawn([(10, 0, 20, 20)])
    assert measure(halves[0], halves[0], engine).overall["mask_AP"] == pytest.approx(1)
    assert measure(halves[0], halves[1], engine).overall["mask_AP"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_an_overlap_of_two_thirds_passes_four_of_ten_thresholds(
    measure: Callable[..., Metrics], engine: Engine
) -> None:
    # An L of 300 px² of which 200 px² are found: IoU 0.667.
    truth, found = drawn([(0, 0, 10, 20), (10, 10, 20, 20)]), drawn([(0, 0, 10, 20)])
    overall = measure(truth, found, engine).overall
    assert overall["mask_AP"] == pytest.approx(0.4)
    assert [overall["mask_AP_50"], overall["mask_AP_75"]] == pytest.approx([1, 0])
    assert overall["mask_AR_100"] == pytest.approx(0.4)


def test_sizes_are_those_of_masks_on_the_grid(measure: Callable[..., Metrics]) -> None:
    truth = drawn([(0, 0, 40, 40)])  # 1600 px², in a box of 400 px²
    overall = measure(truth, truth).overall
    assert [overall["mask_AP_S"], overall["mask_AP_M"]] == pytest.approx([-1, 1])
    halved = measure(truth, truth, pixel_scale=0.5).overall
    assert [halved["mask_AP_S"], halved["mask_AP_M"]] == pytest.approx([1, -1])


def test_nothing_found_is_zero_and_nothing_labelled_is_no_number(
    measure: Callable[..., Metrics], label_table: Make, detection_table: Make
) -> None:
    assert set(measure(drawn([(0, 0, 9, 9)]), []).overall.values()) == {0}
    nothing = evaluate({"a": label_table()}, {"a": detection_table()}, MASKS)
    assert set(nothing.overall.values()) == {-1}


def test_empty_masks_overlap_nothing(measure: Callable[..., Metrics]) -> None:
    assert measure(drawn([]), drawn([])).overall["mask_AP"] == 0
    assert measure(drawn([(0, 0, 9, 9)]), drawn([])).overall["mask_AP"] == 0


def test_masks_of_detections_may_lack_the_last_row(measure: Callable[..., Metrics]) -> None:
    truth = drawn([(0, 0, 10, 20)])
    short = np.zeros((1, HEIGHT - 1, WIDTH - 1), bool)
    short[0, :20, :10] = True
    assert measure(truth, encode_masks(short)).overall["mask_AP"] == pytest.approx(1)


def test_masks_of_another_resolution_are_refused(measure: Callable[..., Metrics]) -> None:
    half = encode_masks(np.ones((1, HEIGHT // 2, WIDTH // 2), bool))
    with pytest.raises(LabelError, match="40 x 60 px and 20 x 30 px: give all masks in px of the"):
        measure(drawn([(0, 0, 9, 9)]), half)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("class_aware", [True, False])
def test_rectangles_score_as_their_boxes(
    random_tables: Make, engine: Engine, *, class_aware: bool
) -> None:
    labels, detections = rectangles(random_tables(3))
    protocol = Protocol.model_validate(
        {
            "name": "both",
            "class_aware": class_aware,
            "metrics": [{"kind": "average_precision"}, {"kind": "mask_average_precision"}],
        }
    )
    metrics = evaluate(labels, detections, protocol, engine=engine)
    for values in (
        metrics.overall,
        metrics.groups["day"],
        *(each.metrics for each in metrics.per_class.values()),
    ):
        boxes = {name: value for name, value in values.items() if not name.startswith("mask_")}
        of_masks = {name: values[f"mask_{name}"] for name in boxes}
        assert of_masks == pytest.approx(boxes, abs=1e-12)
    assert 0.1 < metrics.overall["mask_AP"] < 0.9


def test_values_are_those_of_pycocotools_called_directly(random_tables: Make) -> None:
    tables = with_blobs(random_tables(9, num_recordings=1))
    (labels,), (detections,) = (list(each.values()) for each in tables)
    metrics = evaluate(*tables, resolve_protocol("coco_masks"))
    stats = score_directly(labels, detections)
    names = ("AP", "AP_50", "AP_75", "AP_S", "AP_M", "AP_L")
    recalls = ("AR_1", "AR_10", "AR_100", "AR_S", "AR_M", "AR_L")
    found = [metrics.overall[f"mask_{name}"] for name in names + recalls]
    assert found == pytest.approx(stats, abs=1e-9)
    assert 0.02 < metrics.overall["mask_AP"] < 0.9


def with_blobs(tables: Tables) -> Tables:
    """Every box with a mask of its own that fills a random part of it."""
    rng = np.random.default_rng(1)

    def blobs(table: LabelTable) -> LabelTable:
        masks = np.zeros((len(table), 480, 480), bool)
        for mask, row in zip(masks, table, strict=True):
            x, y, w, h = (int(row[side]) for side in "xywh")
            part = np.add.outer(np.linspace(-1, 1, h) ** 2, np.linspace(-1, 1, w) ** 2)
            mask[y : y + h, x : x + w] = part[: 480 - y, : 480 - x] < rng.uniform(0.7, 1.3)
        return with_masks(table, encode_masks(masks))

    whole = rectangles(tables)
    return tuple({name: blobs(table) for name, table in each.items()} for each in whole)  # type: ignore[return-value]


def score_directly(labels: LabelTable, detections: LabelTable) -> list[float]:
    """COCO's twelve numbers of the detections in labelled frames."""
    frames = {time: number for number, time in enumerate(np.unique(labels["t"]).tolist(), 1)}
    images = [{"id": number, "height": 480, "width": 480} for number in frames.values()]
    categories = [{"id": class_id} for class_id in range(3)]
    coco = []
    for table in (labels, detections):
        rows = [row for row in table if int(row["t"]) in frames]
        annotations = [
            {
                "id": number,
                "image_id": frames[int(row["t"])],
                "category_id": int(row["class_id"]),
                "segmentation": row["mask"],
                "area": mask_area(row["mask"]),
                "iscrowd": 0,
                "score": float(row["score"]) if table is detections else 0.0,
            }
            for number, row in enumerate(rows, 1)
        ]
        one = COCO()
        one.dataset = {"images": images, "categories": categories, "annotations": annotations}
        one.createIndex()
        coco.append(one)
    evaluation = COCOeval(*coco, "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return list(evaluation.stats)


@pytest.mark.parametrize("missing", ["label", "detection"])
def test_tables_without_masks_are_refused_in_words(random_tables: Make, missing: str) -> None:
    plain = random_tables(0, num_recordings=1)
    labels, detections = rectangles(plain)
    if missing == "label":
        labels = plain[0]
    else:
        detections = plain[1]
    message = f"'coco_masks' compares masks, but the {missing} table of 'test/.*' has none: use"
    with pytest.raises(ProtocolError, match=message):
        evaluate(labels, detections, "coco_masks")


def test_damaged_masks_are_refused_before_pycocotools_reads_them(random_tables: Make) -> None:
    labels, detections = rectangles(random_tables(0, num_recordings=1))
    (table,) = detections.values()
    table["mask"][3] = {"size": [40, 60], "counts": "o0"}
    with pytest.raises(LabelError, match=r"detection table .* damaged mask in row 3: `counts`"):
        evaluate(labels, detections, "coco_masks")


def test_masks_cost_nothing_where_boxes_are_measured(random_tables: Make) -> None:
    labels, detections = rectangles(random_tables(0, num_recordings=1))
    for table in (*labels.values(), *detections.values()):
        table["mask"] = None
    assert evaluate(labels, detections, "coco").overall["AP"] > 0


def test_mask_values_stand_first_in_the_protocol_of_masks(random_tables: Make) -> None:
    protocol = resolve_protocol("coco_masks")
    assert protocol.monitored.name == "mask_AP"
    assert [value.title for value in protocol.shown("headline")] == [
        "mask AP",
        "mask AP50",
        "AP",
        "AP50",
    ]
    metrics = evaluate(*rectangles(random_tables(2)), protocol)
    assert set(flatten_metrics(metrics)) >= {
        "test/coco_masks/mask_AP",
        "test/coco_masks/class_1/mask_AP_50",
        "test/coco_masks/day/mask_AP",
        "test/coco_masks/AP_50",
    }
    assert not resolve_protocol("coco").needs_masks


def test_each_value_means_what_that_of_boxes_means_but_for_masks() -> None:
    values = {value.name: value.meaning for value in Config().declare(resolve_protocol("coco"))}
    assert values["mask_AP_50"].startswith("Average precision if a mask that overlaps the labelled")
    assert values["mask_AP"].endswith("it also measures how well the masks fit.")
    assert values["mask_AR_100"].startswith("Average recall: share of objects found")
    assert not any("box" in meaning for meaning in values.values())
