"""Pipeline from histograms and a detector to detections."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.predict.nodes import predict_detections


def create_pipeline() -> Pipeline:
    """One table of boxes per recording."""
    nodes = [
        Node(
            predict_detections,
            [
                "histograms",
                "checkpoint",
                "params:dataset",
                "params:predict",
                "exported_folder",
            ],
            "detections",
            name="predict_detections",
            tags=["gpu"],
        )
    ]
    return Pipeline(nodes, namespace="predict", prefix_datasets_with_namespace=False)
