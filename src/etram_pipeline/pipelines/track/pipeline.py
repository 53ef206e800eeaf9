"""Pipeline from detections to tracks."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.track.nodes import track_detections


def create_pipeline() -> Pipeline:
    """One table of tracks per recording."""
    nodes = [
        Node(
            track_detections,
            ["detections", "histograms", "labelled_frames", "params:dataset", "params:track"],
            "tracks",
            name="track_detections",
        )
    ]
    return Pipeline(nodes, namespace="track", prefix_datasets_with_namespace=False)
