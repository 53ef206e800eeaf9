"""Pipeline from histograms and labelled frames to a dataset for training in other projects."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.export.nodes import describe_export


def create_pipeline() -> Pipeline:
    """A picture of each labelled frame, with its boxes in the formats of COCO and YOLO."""
    node = Node(
        describe_export,
        ["histograms", "labelled_frames", "params:dataset", "params:export"],
        "exported_dataset",
        name="export_pictures",
    )
    return Pipeline([node], namespace="export", prefix_datasets_with_namespace=False)
