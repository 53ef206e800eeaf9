"""Ignored labels take their tracks out of the comparison, as in KITTI."""

import pytest
from tests.evaluation.tracks.conftest import MakeTables, as_tracks, label_rows, track_rows

from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.site import Image, Site, Zone

TREES = Site(
    image=Image(width=1280, height=720),
    ignore={"trees": Zone(polygon=((0, 0), (100, 0), (100, 100), (0, 100)))},
)


def score(labels: LabelTable, tracks: TrackTable, **choices: object) -> TrackMetrics:
    protocol = TrackProtocol.model_validate({"name": "own", "class_aware": False} | choices)
    return evaluate_tracks({"r": labels}, {"r": tracks}, protocol, site=TREES)


def boxes(found: TrackMetrics) -> tuple[int, int, int]:
    return found.counts["TP"], found.counts["FN"], found.counts["FP"]


LARGE = (1, 200, 200, 40, 40, 7)
"""A label far from the trees."""


@pytest.mark.parametrize(
    ("label", "track", "expected"),
    [
        ((1, 300, 300, 9.9, 9.9, 8), (1, 300, 300, 10.1, 10.1, 2), (1, 0, 0)),  # both are out
        ((1, 300, 300, 10.1, 10.1, 8), (1, 300, 300, 9.9, 9.9, 2), (2, 0, 0)),  # both count
        ((1, 300, 300, 9.9, 9.9, 8), (1, 400, 300, 9.9, 9.9, 2), (1, 0, 0)),  # small and alone
        ((1, 300, 300, 9.9, 9.9, 8), (1, 400, 300, 10.1, 10.1, 2), (1, 0, 1)),  # a false box
    ],
)
def test_small_labels_are_ignored_with_their_tracks(
    label: tuple[float, ...], track: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    labels, tracks = label_rows(LARGE, label), track_rows((*LARGE[:5], 1), track)
    for choices in ({"min_side_px": 10}, {"min_diagonal_px": 10 * 2**0.5}):
        assert boxes(score(labels, tracks, **choices)) == expected
    half = {"min_side_px": 5, "pixel_scale": 0.5}
    assert boxes(score(labels, tracks, **half)) == expected


def test_ignored_label_does_not_take_the_track_of_another_one() -> None:
    labels = label_rows((1, 300, 300, 20, 20, 7), (1, 302, 302, 16, 16, 8))
    tracks = track_rows((1, 300, 300, 20, 20, 1))
    assert boxes(score(labels, tracks, min_side_px=18)) == (1, 0, 0)


def test_slow_labels_are_ignored_with_their_tracks() -> None:
    stands = [(100_000 * step, 300, 300, 20, 20, 8) for step in range(5)]
    drives = [(100_000 * step, 20 * step, 200, 20, 20, 7) for step in range(5)]
    labels = label_rows(*stands, *drives)
    found = score(labels, as_tracks(label_rows(*stands, *drives)), least_speed=0.3)
    assert boxes(found) == (5, 0, 0)
    assert found.counts["tracks"] == 1
    # A track of what was not labelled stays false, however slow it is.
    assert boxes(score(label_rows(*drives), as_tracks(labels), least_speed=0.3)) == (5, 0, 5)


def test_labels_of_short_tracks_are_ignored_with_their_tracks() -> None:
    long = [(100_000 * step, 200, 200, 40, 40, 7) for step in range(6)]
    short = [(100_000 * step, 400, 200, 40, 40, 8) for step in range(5)]
    labels = label_rows(*long, *short)
    # A long track of a short label, a short one of a long label, and a short one of nothing.
    rest = [(100_000 * step, 400, 200, 40, 40, 2) for step in range(6)]
    stray = [(100_000 * step, 800, 200, 40, 40, 3) for step in range(3)]
    tracks = track_rows(*((*row[:5], 1) for row in long[:5]), *rest, *stray)
    assert boxes(score(labels, tracks, min_track_us=450_000)) == (5, 1, 1)
    assert boxes(score(labels, tracks)) == (10, 1, 4)


def test_labels_in_ignored_zones_are_ignored_with_tracks_there() -> None:
    inside, outside = (1, 20, 20, 30, 30, 8), (1, 90, 20, 30, 30, 9)
    labels = label_rows(LARGE, inside, outside)
    leaves = (1, 60, 60, 10, 10, 5)
    tracks = track_rows((*LARGE[:5], 1), inside, outside, leaves)
    assert boxes(score(labels, tracks)) == (2, 0, 0)
    assert boxes(score(labels, tracks, ignore_zones=False)) == (3, 0, 1)


def test_ignored_labels_with_their_tracks_change_nothing(random_tables: MakeTables) -> None:
    labels, tracks = random_tables(8)
    small = [(100_000 * step, 900 + 9 * step, 600, 5, 5, 499, 0) for step in range(1, 20)]
    protocol = TrackProtocol(name="own", min_side_px=6)
    before = evaluate_tracks(labels, tracks, protocol)
    more = evaluate_tracks(
        {name: label_rows(*table.tolist(), *small) for name, table in plain(labels)},
        {name: track_rows(*table.tolist(), *small) for name, table in plain(tracks)},
        protocol,
    )
    assert more.overall == pytest.approx(before.overall)
    assert more.counts == before.counts


def plain(tables: dict[str, LabelTable]) -> list[tuple[str, LabelTable]]:
    columns = ["t", "x", "y", "w", "h", "track_id", "class_id"]
    return [(name, table[columns]) for name, table in tables.items()]
