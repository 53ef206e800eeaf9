"""Pipeline from a checkpoint to a file that runs without PyTorch."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.deploy.latency import measure_latency
from etram_pipeline.pipelines.deploy.nodes import check_exported, export_checkpoint


def create_pipeline() -> Pipeline:
    """An exported detector, saved only if it computes what its checkpoint does, and its latency."""
    nodes = [
        Node(
            export_checkpoint,
            ["histograms", "checkpoint", "params:dataset", "params:predict", "params:deploy"],
            "unchecked_detector",
            name="export_detector",
        ),
        Node(
            check_exported,
            ["unchecked_detector", "histograms", "checkpoint", "params:deploy"],
            ["exported_detector", "parity"],
            name="check_parity",
        ),
        Node(
            measure_latency,
            [
                *("exported_detector", "checkpoint", "histograms", "labelled_frames"),
                *("params:evaluate", "params:deploy"),
            ],
            "deployment_report",
            name="measure_latency",
        ),
    ]
    return Pipeline(nodes, namespace="deploy", prefix_datasets_with_namespace=False)
