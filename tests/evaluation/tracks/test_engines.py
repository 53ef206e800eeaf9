"""The reference evaluators and ours give the same numbers, on tables full of ties too."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.tracks.conftest import MakeTables, label_rows, track_rows
from trackers.eval import compute_clear_metrics, compute_hota_metrics, compute_identity_metrics

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.evaluation.tracks import own_engine, trackeval_engine
from etram_pipeline.evaluation.tracks.comparing import Tables, compared_boxes
from etram_pipeline.evaluation.tracks.overlap_kernels import _column_sums, _row_sums
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.labels.table import LabelTable

TOLERANCE = 1e-9


def random_rows(rng: np.random.Generator, make: Callable[..., LabelTable]) -> LabelTable:
    """Rows at a few times, places and sizes, so that many matchings are equally good."""
    scale, crowd = rng.choice([1, 5, 0.37]), int(rng.integers(1, 12))
    rows = [
        (time, *(scale * rng.integers(0, [crowd, crowd, 4, 4])), track_id, rng.integers(0, 2))
        for time in range(rng.integers(0, 8))
        for track_id in rng.permutation(rng.integers(1, 16))
        if rng.random() < 0.7
    ]
    return make(*(rows[row] for row in rng.permutation(len(rows))))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([True, False]),
    st.sampled_from([0.3, 0.5, 1.0]),
    st.integers(0, 2),
)
def test_numbers_are_those_of_trackeval(
    seed: int, class_aware: object, match_iou: float, interpolate_us: int
) -> None:
    rng = np.random.default_rng(seed)
    protocol = TrackProtocol(
        name="any",
        class_names=("a", "b"),
        class_aware=bool(class_aware),
        match_iou=match_iou,
        interpolate_us=interpolate_us,
    )
    labels, tracks = (
        {f"r{number}": random_rows(rng, make) for number in range(2)}
        for make in (label_rows, track_rows)
    )
    own = evaluate_tracks(labels, tracks, protocol)
    reference = evaluate_tracks(labels, tracks, protocol, engine="trackeval")
    assert own.counts == reference.counts
    assert own.overall == pytest.approx(reference.overall, abs=TOLERANCE)
    for name, expected in reference.per_class.items():
        assert own.per_class[name].counts == expected.counts
        assert own.per_class[name].metrics == pytest.approx(expected.metrics, abs=TOLERANCE)


@pytest.mark.parametrize("seed", range(3))
def test_crowds_are_matched_as_by_trackeval(seed: int, any_class: TrackProtocol) -> None:
    rng = np.random.default_rng(seed)
    labels, tracks = (
        make(*((time, *box, track) for time in range(4) for track, box in enumerate(boxes)))
        for make, boxes in zip(
            (label_rows, track_rows), 5.0 * rng.integers(1, 12, (2, 150, 4)), strict=True
        )
    )
    own, reference = (
        evaluate_tracks({"r": labels}, {"r": tracks}, any_class, engine=engine)
        for engine in ("own", "trackeval")
    )
    assert own.counts == reference.counts
    assert own.overall == pytest.approx(reference.overall, abs=TOLERANCE)


def test_recordings_are_combined_as_by_trackeval(
    random_tables: MakeTables, any_class: TrackProtocol
) -> None:
    labels, tracks = random_tables(0)
    found = evaluate_tracks(labels, tracks, any_class)
    sequences = {
        name: trackeval_engine.sequence(
            compared_boxes(Tables(name, labels[name], tracks[name]), any_class, None)
        )
        for name in labels
    }
    for metric in trackeval_engine.metrics(any_class):
        each = {name: metric.eval_sequence(data) for name, data in sequences.items()}
        combined = metric.combine_sequences(each)
        for name in found.overall.keys() & combined.keys():
            assert found.overall[name] == pytest.approx(np.mean(combined[name]), abs=TOLERANCE)


def test_numbers_are_those_of_trackers(random_tables: MakeTables, any_class: TrackProtocol) -> None:
    labels, tracks = (table["test/test_night_0000"] for table in random_tables(1))
    compared = compared_boxes(Tables("r", labels, tracks), any_class, None)
    found = evaluate_tracks({"r": labels}, {"r": tracks}, any_class)
    data = trackeval_engine.sequence(compared)
    arguments = data["gt_ids"], data["tracker_ids"], data["similarity_scores"]
    for compute in (compute_hota_metrics, compute_clear_metrics, compute_identity_metrics):
        expected = compute(*arguments)
        names = found.overall.keys() & expected.keys()
        assert {name: found.overall[name] for name in names} == pytest.approx(
            {name: expected[name] for name in names}, abs=TOLERANCE
        )


@pytest.mark.parametrize("columns", [1, 2, 7, 8, 9, 127, 128, 129, 300])
@pytest.mark.parametrize("rows", [1, 7, 200])
def test_sums_are_those_of_numpy_to_the_last_bit(rows: int, columns: int) -> None:
    values = np.random.default_rng(0).random((rows, columns))
    assert _row_sums(values).tolist() == values.sum(1).tolist()
    assert _column_sums(values).tolist() == values.sum(0).tolist()


def test_sums_of_no_boxes_are_zero(any_class: TrackProtocol) -> None:
    nothing = Tables("r", label_rows(), track_rows())
    sums = own_engine.measure(compared_boxes(nothing, any_class, None), any_class)
    assert set(sums.counts.values()) == {0}


def test_missing_reference_is_named_with_its_remedy(
    any_class: TrackProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    labels = label_rows((1, 0, 0, 9, 9, 1))
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[track-eval\]'"):
        evaluate_tracks({"r": labels}, {"r": track_rows()}, any_class, engine="trackeval")
