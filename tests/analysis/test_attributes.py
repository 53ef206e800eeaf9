"""Each attribute of labels on examples worked out by hand, and the bins they are put into."""

from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # filters of stored images
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.conftest import LABEL_COLUMNS, Rows, table_of

from etram_pipeline.analysis.attributes import (
    ATTRIBUTES,
    Attribute,
    LabelledRecording,
    border_distance,
    event_density,
    moving_time,
    occlusion,
    speed,
)
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.stores.representation_store import RepresentationStore, StoredRepresentations

NAN = float("nan")


def measured(attribute: Attribute, rows: Rows, **changes: object) -> list[float]:
    """Values of labels `t x y w h class_id track_id` on a sensor of 100 x 200 px."""
    table = table_of(rows, LABEL_COLUMNS, LABEL_DTYPE)
    fields = {"labels": table, "height": 100, "width": 200, **changes}
    values: list[float] = attribute.measure(LabelledRecording(**fields)).tolist()  # type: ignore[arg-type]
    return values


def test_speed_is_the_way_from_the_previous_to_the_next_label_of_the_track() -> None:
    rows = [
        (100_000, 0, 0, 10, 10, 0, 7),
        (300_000, 30, 40, 10, 10, 0, 7),  # rows in any order
        (200_000, 10, 0, 10, 10, 0, 7),
        (200_000, 90, 90, 10, 10, 0, 8),  # a single label tells nothing
    ]
    middle = np.hypot(30, 40) / 0.2
    assert measured(speed.ATTRIBUTE, rows) == pytest.approx(
        [100, np.hypot(20, 40) / 0.1, middle, NAN], nan_ok=True
    )


def test_speed_is_not_measured_across_a_gap() -> None:
    rows = [(time, x, 0, 10, 10, 0, 7) for time, x in ((0, 0), (100_000, 1), (700_000, 61))]
    assert measured(speed.ATTRIBUTE, rows) == pytest.approx([10, 10, NAN], nan_ok=True)


def test_an_object_that_stands_has_speed_0_however_its_box_grows() -> None:
    rows = [(0, 10, 10, 20, 20, 0, 1), (100_000, 5, 5, 30, 30, 0, 1)]
    assert measured(speed.ATTRIBUTE, rows) == [0, 0]


def test_time_counts_from_where_the_track_first_left_its_place() -> None:
    places = [(0, 0), (100_000, 4), (200_000, 6), (300_000, 0), (1_200_000, 90)]
    rows = [(time, x, 0, 10, 10, 0, 3) for time, x in places]
    assert measured(moving_time.ATTRIBUTE, rows) == pytest.approx([-1, -1, 0, 0.1, 1])


def test_an_object_that_never_moves_has_not_moved_yet() -> None:
    rows = [(0, 0, 0, 10, 10, 0, 3), (9_000_000, 3, 3, 10, 10, 0, 3)]
    assert measured(moving_time.ATTRIBUTE, rows) == [-1, -1]


@pytest.mark.parametrize("attribute", [speed.ATTRIBUTE, moving_time.ATTRIBUTE])
def test_without_track_ids_nothing_is_known_of_motion(attribute: Attribute) -> None:
    rows = [(0, 0, 0, 10, 10, 0, 0), (100_000, 30, 0, 10, 10, 0, 0)]
    assert measured(attribute, rows) == pytest.approx([NAN, NAN], nan_ok=True)


def test_boxes_that_cover_the_same_part_count_once() -> None:
    rows = [
        (0, 0, 0, 10, 10, 0, 0),
        (0, 5, 0, 10, 10, 1, 0),  # covers the right half
        (0, 8, 0, 10, 5, 1, 0),  # a part of the same half
        (0, 50, 50, 10, 10, 0, 0),
        (100, 0, 0, 10, 10, 0, 0),  # at another moment
    ]
    found = measured(occlusion.ATTRIBUTE, rows)
    assert found == pytest.approx([0.5, (50 + 35 - 10) / 100, 35 / 50, 0, 0])


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_occlusion_is_the_share_of_covered_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 20, (6, 2))
    sides = rng.integers(1, 12, (6, 2))
    rows = [(0, *corner, *side, 0, 0) for corner, side in zip(corners, sides, strict=True)]
    masks = np.zeros((6, 40, 40), bool)
    for mask, (x, y), (w, h) in zip(masks, corners, sides, strict=True):
        mask[y : y + h, x : x + w] = True
    covered = [np.delete(masks, number, 0).max(axis=0) for number in range(6)]
    expected = [others[mask].mean() for others, mask in zip(covered, masks, strict=True)]
    assert measured(occlusion.ATTRIBUTE, rows) == pytest.approx(expected)


def test_distance_is_to_the_nearest_border_and_never_negative() -> None:
    rows = [
        (0, 30, 40, 10, 10, 0, 0),
        (0, 170, 40, 10, 10, 0, 0),
        (0, 90, 85, 10, 10, 0, 0),
        (0, -5, 40, 10, 10, 0, 0),
    ]
    assert measured(border_distance.ATTRIBUTE, rows) == [30, 20, 5, 0]


@pytest.fixture
def stored(tmp_path: Path) -> StoredRepresentations:
    """Histograms of two windows that end at 50 and 100 ms, at half of 100 x 200 px."""
    images = np.zeros((2, 4, 50, 100), np.uint8)
    images[1, 0, :5, :5] = 2
    images[1, 3, :5, :5] = 1
    folder = tmp_path / "test/a/event_representations_v2/stacked_histogram_dt=50_nbins=2"
    folder.mkdir(parents=True)
    with h5py.File(folder / "event_representations_ds2_nearest.h5", "w") as file:
        file["data"] = images
    np.save(folder / "timestamps_us.npy", np.array([50_000, 100_000]))
    np.save(folder / "objframe_idx_2_repr_idx.npy", np.array([1]))
    return RepresentationStore(tmp_path)["test/a"]


def test_density_is_the_mean_count_of_the_pixels_of_a_box(stored: StoredRepresentations) -> None:
    rows = [
        (100_000, 0, 0, 10, 10, 0, 0),  # 5 x 5 px of the image with 3 events each
        (100_000, 0, 0, 20, 10, 0, 0),
        (100_000, 100, 50, 20, 20, 0, 0),
        (100_000, 8.5, 8.5, 2.5, 2.5, 0, 0),  # touches px 4 and 5 along each axis
        (50_000, 0, 0, 10, 10, 0, 0),
        (75_000, 0, 0, 10, 10, 0, 0),  # no window ends here
    ]
    found = measured(event_density.ATTRIBUTE, rows, histograms=stored)
    assert found == pytest.approx([3, 1.5, 0, 0.75, 0, NAN], nan_ok=True)


def test_density_may_be_measured_at_every_second_moment(stored: StoredRepresentations) -> None:
    rows = [(50_000, 0, 0, 10, 10, 0, 0), (100_000, 0, 0, 10, 10, 0, 0)]
    found = measured(event_density.ATTRIBUTE, rows, histograms=stored, every=2)
    assert found == pytest.approx([0, NAN], nan_ok=True)


def test_density_needs_histograms() -> None:
    found = measured(event_density.ATTRIBUTE, [(0, 0, 0, 10, 10, 0, 0)])
    assert found == pytest.approx([NAN], nan_ok=True)


def test_bins_begin_with_fixed_edges_and_end_with_quantiles_of_the_rest() -> None:
    values = np.concatenate([np.zeros(5), np.linspace(100, 400, 301)])
    assert [part.name for part in speed.ATTRIBUTE.bins(values)] == [
        *("under 10", "10 to 200", "200 to 300", "from 300")
    ]


def test_few_labels_make_few_bins() -> None:
    bins = speed.ATTRIBUTE.bins(np.linspace(100, 400, 45))
    assert [part.name for part in bins] == ["under 10", "10 to 250", "from 250"]
    assert [part.name for part in speed.ATTRIBUTE.bins(np.array([50.0]))] == [
        *("under 10", "from 10")
    ]


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda each: each.name)
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=200))
@settings(max_examples=20, deadline=None)
def test_every_value_is_in_exactly_one_bin(attribute: Attribute, values: list[float]) -> None:
    column = np.array(values)
    bins = attribute.bins(column)
    assert np.sum([part.holds(column) for part in bins], axis=0).tolist() == [1] * len(values)
    assert len({part.name for part in bins}) == len(bins)
