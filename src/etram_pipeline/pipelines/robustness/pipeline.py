"""Scores of a detector on recordings that are changed at the events."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.robustness.nodes import score_changes


def create_pipeline() -> Pipeline:
    """A table, metrics and a figure."""
    node = Node(
        score_changes,
        {name: name for name in ("recordings", "labelled_frames", "checkpoint")}
        | {
            name: f"params:{name}"
            for name in (
                *("dataset", "windows", "representation"),
                *("predict", "evaluate", "robustness"),
            )
        },
        ["robustness_scores", "robustness_metrics", "robustness_figure"],
        name="score_changes",
    )
    return Pipeline([node], namespace="robustness", prefix_datasets_with_namespace=False)
