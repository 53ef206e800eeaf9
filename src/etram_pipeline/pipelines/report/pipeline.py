"""Metrics, detections and recordings to what a person looks at."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.report.nodes import (
    FIGURES,
    annotate_video,
    describe_classes,
    draw_figures,
    write_report,
)

SHOWN = (
    "metrics",
    "track_metrics",
    "count_metrics",
    "errors",
    "breakdowns",
    "calibration",
    "histograms",
    "labelled_frames",
    "detections",
    "annotated_video",
    "training_history",
    "quality_report",
    "frames_report",
    "class_statistics",
    "mistakes",
    "label_suspects",
    "checkpoint",
    "run_facts",
)
"""Datasets the page shows."""

FILMED = ("histograms", "labelled_frames", "detections", "tracks", "site")
"""Datasets the video shows."""


def create_pipeline() -> Pipeline:
    """Figures, annotated video and the report page."""
    nodes = [
        Node(
            draw_figures,
            ["metrics", "params:report"],
            {f"{name}_figure": f"{name}_figure" for name in FIGURES},
            name="draw_figures",
        ),
        Node(
            describe_classes,
            ["labelled_frames", "params:dataset", "params:train"],
            "class_statistics",
            name="describe_classes",
        ),
        Node(
            write_report,
            {name: name for name in SHOWN}
            | {name: f"params:{name}" for name in ("dataset", "train", "report")},
            "report_page",
            name="write_report",
        ),
    ]
    page = Pipeline(nodes, namespace="report", prefix_datasets_with_namespace=False)
    return page + create_video_pipeline()


def create_video_pipeline() -> Pipeline:
    """The annotated video alone: it needs no metrics."""
    node = Node(
        annotate_video,
        {name: name for name in FILMED}
        | {name: f"params:{name}" for name in ("dataset", "report", "count")},
        "annotated_video",
        name="annotate_video",
    )
    return Pipeline([node], namespace="report", prefix_datasets_with_namespace=False)
