"""Pipeline from recordings and labels to labelled frames and histograms."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.preprocess.nodes import (
    describe_histograms,
    describe_labelled_frames,
    describe_quality,
    report_frames,
    report_quality,
)


def create_pipeline() -> Pipeline:
    """Quality report, label filtering, window plan, event representation."""
    nodes = [
        Node(
            describe_labelled_frames,
            [
                "recordings",
                "label_files",
                "params:dataset",
                "params:label_sets",
                "params:labels",
                "params:storage",
            ],
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
            report_frames,
            ["histograms", "labelled_frames", "params:dataset"],
            "frames_report",
            name="report_frames",
        ),
    ]
    encode = Pipeline(nodes, namespace="preprocess", prefix_datasets_with_namespace=False)
    return create_quality_pipeline() + encode


def create_quality_pipeline() -> Pipeline:
    """The quality report, which needs no other output of preprocessing.

    Kedro runs nodes that are ready in alphabetical order. The names of these nodes make the page
    come before the encoding, which may fail.
    """
    nodes = [
        Node(
            describe_quality,
            [
                "recordings",
                "label_files",
                "params:dataset",
                "params:label_sets",
                "params:quality",
                "params:storage",
            ],
            "quality",
            name="check_recordings",
        ),
        Node(
            report_quality,
            [
                "quality",
                "label_files",
                "params:dataset",
                "params:label_sets",
                "params:labels",
                "params:quality",
            ],
            ["quality_report", "quality_metrics", "quality_page"],
            name="draw_quality_page",
        ),
    ]
    return Pipeline(nodes, namespace="preprocess", prefix_datasets_with_namespace=False)
