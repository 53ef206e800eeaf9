"""Small results of a small detector: metrics, tables and stored representations."""

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.drawing.conftest import make_detections, make_labels  # noqa: F401
from tests.quality.conftest import healthy, planted  # noqa: F401  # fixtures of the quality page

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import (
    ClassMetrics,
    Confusion,
    LabelCounts,
    Metrics,
    OperatingPoint,
    ScoredAt,
)
from etram_pipeline.stores.representation_store import StoredRepresentations

NAMES = ("AP", "AP_50", "AP_75", "AP_S", "AP_M", "AP_L", "AR_1", "AR_10", "AR_100")
ABSENT = dict.fromkeys(NAMES, -1.0)


def scored_at(*values: float) -> ScoredAt:
    """Detections with at least a score, from the values of the fields."""
    return ScoredAt.model_validate(dict(zip(ScoredAt.model_fields, values, strict=True)))


@pytest.fixture
def make_metrics() -> Callable[..., Metrics]:
    """Makes metrics of a car, which has labels, and of a tram, which has none."""

    def make(name: str = "mine", **changes: object) -> Metrics:
        values = {name: 0.1 + 0.1 * place for place, name in enumerate(NAMES)}
        metrics = Metrics(
            protocol=Protocol(name=name, description="Cars and trams."),
            overall=values,
            per_class={
                "car": ClassMetrics(metrics=values, num_labels=1200, num_detections=1500),
                "tram": ClassMetrics(metrics=ABSENT, num_labels=0, num_detections=3),
            },
            groups={"day": values, "night": ABSENT},
            precision_recall={"car": [1.0] * 51 + [0.0] * 50, "tram": [-1.0] * 101},
            confusion=Confusion(
                class_names=("car", "tram", "background"),
                counts=((900, 100, 200), (0, 0, 0), (30, 3, 0)),
            ),
            num_recordings=2,
            num_frames=300,
            num_labels=1200,
            num_detections=1503,
            label_counts={
                "all": LabelCounts(total=1200, by_size={"S": 3, "M": 1197, "L": 0}),
                "day": LabelCounts(total=1200, by_size={"S": 3, "M": 1197, "L": 0}),
                "night": LabelCounts(total=0, by_size={"S": 0, "M": 0, "L": 0}),
            },
            operating_point=OperatingPoint(
                iou=0.5,
                overall=scored_at(0.41, 0.75, 0.5, 0.6, 1200, 800),
                per_class={
                    "car": scored_at(0.37, 0.8, 0.6, 0.6857, 1200, 900),
                    "tram": scored_at(0.41, -1, -1, -1, 0, 2),
                },
                at_common_score=("tram",),
            ),
        )
        return metrics.model_copy(update=changes)

    return make


@pytest.fixture
def metrics(make_metrics: Callable[..., Metrics]) -> Metrics:
    """Metrics of one protocol."""
    return make_metrics()


@pytest.fixture
def without_half(metrics: Metrics) -> Metrics:
    """The same metrics, of a protocol with the single overlap 0.2."""

    def left(values: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in values.items() if name not in {"AP_50", "AP_75"}}

    return metrics.model_copy(
        update={
            "protocol": metrics.protocol.model_copy(update={"iou_thresholds": (0.2,)}),
            "overall": left(metrics.overall),
            "per_class": {
                name: part.model_copy(update={"metrics": left(part.metrics)})
                for name, part in metrics.per_class.items()
            },
            "groups": {name: left(values) for name, values in metrics.groups.items()},
        }
    )


@pytest.fixture
def make_frames(tmp_path: Path) -> Callable[..., StoredRepresentations]:
    """Makes stored representations of 50 ms windows; those at the ends `labelled_us` are labelled.

    A sensor of 40 x 64 px at half resolution. Window `w` has `w + 1` rising events in row 0.
    """

    def make(
        key: str = "test/test_day_0001", num_windows: int = 4, labelled_us: Sequence[int] = ()
    ) -> StoredRepresentations:
        images = np.zeros((num_windows, 4, 20, 32), dtype=np.uint8)
        for window in range(num_windows):
            images[window, 2, 0, : window + 1] = 1
        path = tmp_path / f"{key.replace('/', '_')}.h5"
        with h5py.File(path, "w") as file:
            file["data"] = images
        stop_us = 50_000 * np.arange(1, num_windows + 1, dtype=np.int64)
        return StoredRepresentations(
            key=key,
            path=path,
            num_windows=num_windows,
            channels=4,
            height=20,
            width=32,
            dtype="uint8",
            downsampled_by=2,
            stop_us=stop_us,
            frame_windows=np.searchsorted(stop_us, np.array(labelled_us, dtype=np.int64)),
            encoding=None,
            summary=None,
        )

    return make
