"""Detections and labelled frames to metrics."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.evaluate.nodes import score_detections


def create_pipeline() -> Pipeline:
    """Every protocol asked for, from files alone."""
    nodes = [
        Node(
            score_detections,
            ["detections", "labelled_frames", "params:dataset", "params:evaluate"],
            ["matches", "metrics"],  # saved in this order: see the dataset of matches
            name="score_detections",
        )
    ]
    return Pipeline(nodes, namespace="evaluate", prefix_datasets_with_namespace=False)
