"""Recordings and labels to labelled frames and histograms."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.preprocess.nodes import (
    describe_histograms,
    describe_labelled_frames,
    summarise_quality,
)


def create_pipeline() -> Pipeline:
    """Label filtering, window plan, event representation, quality report."""
    nodes = [
        Node(
            describe_labelled_frames,
            ["recordings", "label_files", "params:dataset", "params:labels"],
            "labelled_frames",
            name="select_labelled_frames",
        ),
        Node(
            describe_histograms,
            [
                "recordings",
                "labelled_frames",
                "params:dataset",
                "params:windows",
                "params:representation",
                "params:storage",
            ],
            "histograms",
            name="encode_recordings",
        ),
        Node(
            summarise_quality,
            ["histograms", "labelled_frames", "params:dataset"],
            "quality_report",
            name="summarise_quality",
        ),
    ]
    return Pipeline(nodes, namespace="preprocess", prefix_datasets_with_namespace=False)
