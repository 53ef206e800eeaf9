"""Detections, tracks and labelled frames to metrics."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.evaluate.calibration_nodes import score_calibration
from etram_pipeline.pipelines.evaluate.error_nodes import break_down, measure_mistakes
from etram_pipeline.pipelines.evaluate.nodes import score_detections
from etram_pipeline.pipelines.evaluate.review_nodes import (
    list_label_suspects,
    list_mistakes,
)
from etram_pipeline.pipelines.evaluate.track_nodes import score_counts, score_tracks


def create_pipeline() -> Pipeline:
    """Every protocol asked for, from files alone."""
    nodes = [
        Node(
            score_detections,
            ["detections", "labelled_frames", "histograms", "params:dataset", "params:evaluate"],
            ["matches", "metrics"],  # saved in this order: see the dataset of matches
            name="score_detections",
        ),
        Node(
            score_calibration,
            ["detections", "labelled_frames", "params:dataset", "params:evaluate"],
            "calibration",
            name="score_calibration",
        ),
        Node(
            score_tracks,
            ["tracks", "labelled_frames", "site", "params:dataset", "params:evaluate"],
            "track_metrics",
            name="score_tracks",
        ),
        Node(
            score_counts,
            [
                *("tracks", "labelled_frames", "site"),
                *("params:dataset", "params:evaluate", "params:count"),
            ],
            "count_metrics",
            name="score_counts",
        ),
        Node(
            list_mistakes,
            ["detections", "labelled_frames", "histograms", "params:dataset", "params:evaluate"],
            "mistakes",
            name="list_mistakes",
        ),
        Node(
            list_label_suspects,
            ["detections", "labelled_frames", "histograms", "params:dataset", "params:evaluate"],
            "label_suspects",
            name="list_label_suspects",
        ),
        Node(
            measure_mistakes,
            ["detections", "labelled_frames", "histograms", "params:dataset", "params:evaluate"],
            "errors",
            name="measure_mistakes",
        ),
        Node(
            break_down,
            ["detections", "labelled_frames", "histograms", "params:dataset", "params:evaluate"],
            ["breakdowns", "breakdown_metrics"],
            name="break_down",
        ),
    ]
    return Pipeline(nodes, namespace="evaluate", prefix_datasets_with_namespace=False)
