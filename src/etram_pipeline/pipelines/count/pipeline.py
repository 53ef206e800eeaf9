"""Tracks and lines to tables of traffic, files for other programs, and pages."""

from kedro.pipeline import Node, Pipeline

from etram_pipeline.pipelines.count.nodes import (
    TABLES,
    draw_site_page,
    export_tracks,
    tabulate_traffic,
    write_traffic_page,
)


def create_pipeline() -> Pipeline:
    """Counts of every recording with tracks."""
    nodes = [
        Node(
            tabulate_traffic,
            ["tracks", "site", "params:count"],
            {name: name for name in TABLES},
            name="tabulate_traffic",
        ),
        Node(
            write_traffic_page,
            ["tracks", "histograms", "site", "run_facts", "params:count"],
            "traffic_page",
            name="write_traffic_page",
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
