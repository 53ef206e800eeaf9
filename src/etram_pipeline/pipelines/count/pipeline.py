"""Tracks and lines to tables of traffic, files for other programs, and pages."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.count.nodes import (
    TABLES,
    count_traffic,
    draw_site_page,
    export_tracks,
    tabulate_traffic,
)


def create_pipeline() -> Pipeline:
    """Counts of every recording with tracks."""
    nodes = [
        Node(count_traffic, ["tracks", "site", "params:count"], "traffic", name="count_traffic"),
        Node(
            tabulate_traffic,
            ["traffic", "params:count"],
            {name: name for name in TABLES},
            name="tabulate_traffic",
        ),
        Node(
            export_tracks,
            ["tracks", "histograms", "site", "params:count"],
            "track_files",
            name="export_tracks",
        ),
        Node(
            draw_site_page,
            ["tracks", "histograms", "site", "run_facts"],
            "site_page",
            name="draw_site_page",
        ),
    ]
    return Pipeline(nodes, namespace="count", prefix_datasets_with_namespace=False)
