"""Scores of a detector by rate of windows, and of its detections by latency."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.rates.nodes import score_latencies, score_rates


def create_pipeline() -> Pipeline:
    """A table, metrics and a figure each."""
    nodes = [
        Node(
            score_latencies,
            [
                *("detections", "labelled_frames", "histograms"),
                *("params:dataset", "params:evaluate", "params:rates"),
            ],
            ["latency_scores", "latency_metrics", "latency_scores_figure"],
            name="score_latencies",
        ),
        Node(
            score_rates,
            {name: name for name in ("recordings", "labelled_frames", "checkpoint")}
            | {
                name: f"params:{name}"
                for name in (
                    *("dataset", "windows", "representation"),
                    *("predict", "evaluate", "rates"),
                )
            },
            ["rate_scores", "rate_metrics", "rate_scores_figure"],
            name="score_rates",
        ),
    ]
    return Pipeline(nodes, namespace="rates", prefix_datasets_with_namespace=False)
