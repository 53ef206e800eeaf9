"""Pipeline from histograms and labelled frames to a detector."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.train.nodes import train_detector


def create_pipeline() -> Pipeline:
    """Streaming training of one detector."""
    nodes = [
        Node(
            train_detector,
            [
                "histograms",
                "labelled_frames",
                "training_folder",
                "params:dataset",
                "params:detector",
                "params:train",
            ],
            ["checkpoint", "training_history"],
            name="train_detector",
            tags=["gpu"],
        )
    ]
    return Pipeline(nodes, namespace="train", prefix_datasets_with_namespace=False)
