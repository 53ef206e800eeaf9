"""What scores of tracks are, on cases worked out by hand, and what must not change them."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.evaluation.tracks.conftest import (
    MakeTables,
    Tables,
    as_tracks,
    label_rows,
    track_rows,
)

from etram_pipeline.core import etram
from etram_pipeline.core.errors import LabelError, ProtocolError
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.labels.table import LabelTable

CLASSES = ("car", "bus", "tram")


def score(labels: LabelTable, tracks: LabelTable, **choices: object) -> TrackMetrics:
    protocol = TrackProtocol.model_validate({"name": "own", "class_aware": False} | choices)
    return evaluate_tracks({"r": labels}, {"r": tracks}, protocol, CLASSES)


def moving(*ids: int, first: int = 0, class_id: int = 0) -> list[tuple[float, ...]]:
    """One car that moves on, with an id at each moment."""
    return [
        (100_000 * (first + step), 8.0 * step, 50, 40, 20, track_id, class_id)
        for step, track_id in enumerate(ids)
    ]


def test_identity_switch_half_way_halves_the_association() -> None:
    found = score(label_rows(*moving(*[7] * 10)), track_rows(*moving(*[1] * 5, *[2] * 5)))
    assert found.overall["HOTA"] == pytest.approx(np.sqrt(0.5))
    assert found.overall["DetA"] == 1
    assert found.overall["AssA"] == pytest.approx(0.5)
    assert found.overall["IDF1"] == 0.5
    assert found.overall["MOTA"] == 0.9
    assert (found.counts["IDSW"], found.counts["Frag"], found.counts["MT"]) == (1, 0, 1)
    assert (found.counts["tracks"], found.counts["labelled_tracks"]) == (2, 1)


@pytest.mark.parametrize("class_aware", [True, False])
def test_perfect_tracks_score_1(random_tables: MakeTables, class_aware: bool) -> None:  # noqa: FBT001
    labels, _ = random_tables(0)
    protocol = TrackProtocol(name="own", class_aware=class_aware)
    found = evaluate_tracks(
        labels, {name: as_tracks(table) for name, table in labels.items()}, protocol, CLASSES
    )
    assert set(found.overall.values()) == {1.0}
    assert found.by_threshold["HOTA"] == pytest.approx([1.0] * 19)
    counts = found.counts
    assert [counts[name] for name in ("IDSW", "Frag", "PT", "ML", "FN", "FP")] == [0] * 6
    assert counts["MT"] == counts["tracks"] == counts["labelled_tracks"]


def shuffled(rng: np.random.Generator, table: LabelTable) -> LabelTable:
    return rng.permutation(table)


def renamed(rng: np.random.Generator, table: LabelTable) -> LabelTable:
    table = table.copy()
    table["track_id"] = rng.permutation(2**32 - 1 - np.arange(500))[table["track_id"]]
    return table


@pytest.mark.parametrize("change", [shuffled, renamed])
def test_order_of_rows_and_names_of_tracks_do_not_matter(
    change: Callable[[np.random.Generator, LabelTable], LabelTable], random_tables: MakeTables
) -> None:
    rng = np.random.default_rng(0)
    tables = random_tables(3)
    changed = tuple({name: change(rng, each) for name, each in side.items()} for side in tables)
    protocol = TrackProtocol(name="own")
    before, after = (
        evaluate_tracks(labels, tracks, protocol, CLASSES) for labels, tracks in (tables, changed)
    )
    assert after.counts == before.counts
    assert after.overall == pytest.approx(before.overall, abs=1e-12)
    assert 0.2 < before.overall["HOTA"] < 0.9


def test_sums_of_recordings_add_up(random_tables: MakeTables, any_class: TrackProtocol) -> None:
    labels, tracks = random_tables(4)
    together = evaluate_tracks(labels, tracks, any_class)
    alone = [
        evaluate_tracks({name: labels[name]}, {name: tracks[name]}, any_class) for name in labels
    ]
    assert together.counts == {
        name: sum(each.counts[name] for each in alone) for name in together.counts
    }
    assert together.num_moments == sum(each.num_moments for each in alone)


def test_shifted_clock_and_a_split_of_classes_that_nothing_has_change_nothing(
    random_tables: MakeTables,
) -> None:
    labels, tracks = random_tables(5, num_recordings=1)
    before = evaluate_tracks(labels, tracks, TrackProtocol(name="own"), CLASSES)
    later = [{name: table.copy() for name, table in side.items()} for side in (labels, tracks)]
    for side in later:
        for table in side.values():
            table["t"] += 10**12
    after = evaluate_tracks(later[0], later[1], TrackProtocol(name="own"), (*CLASSES, "truck"))
    assert after.overall == before.overall


def test_nothing_tracked_gives_0() -> None:
    found = score(label_rows(*moving(7, 7)), track_rows())
    assert {found.overall[name] for name in ("HOTA", "AssA", "MOTA", "IDF1")} == {0.0}
    assert (found.counts["FN"], found.counts["ML"]) == (2, 1)


def test_recordings_without_labels_are_not_scored(any_class: TrackProtocol) -> None:
    labels = {"a": label_rows(*moving(7, 7)), "b": label_rows()}
    tracks = {"a": track_rows(*moving(1, 1)), "b": track_rows(*moving(1, 1))}
    found = evaluate_tracks(labels, tracks, any_class, CLASSES)
    assert found.overall["DetA"] == 1
    assert (found.num_recordings, found.num_moments, list(found.recordings)) == (1, 2, ["a"])
    none = evaluate_tracks({"b": labels["b"]}, {"b": tracks["b"]}, any_class, CLASSES)
    assert (none.num_labels, none.num_recordings, none.overall["HOTA"]) == (0, 0, 0)


def test_one_moment_of_one_box_is_enough() -> None:
    found = score(label_rows((5, 0, 0, 4, 4, 2**32 - 1)), track_rows((5, 0, 0, 4, 4, 2**32 - 1)))
    assert found.overall["HOTA"] == 1


def test_overall_is_the_mean_over_classes_with_labels() -> None:
    labels = label_rows(*moving(7, 7), *moving(8, 8, first=50, class_id=1))
    tracks = track_rows(*moving(1, 1), *moving(2, 2, class_id=2))
    found = score(labels, tracks, class_aware=True)
    assert found.overall["HOTA"] == pytest.approx((1 + 0) / 2)
    assert found.labelled_classes == ("car", "bus")
    assert found.per_class["tram"].counts["FP"] == 2
    assert found.per_class["tram"].num_labels == 0


def test_label_that_changes_its_class_counts_as_two_tracks_of_classes() -> None:
    labels = label_rows(*moving(7, 7), *moving(7, 7, first=2, class_id=1))
    found = score(labels, as_tracks(labels), class_aware=True)
    assert found.counts["labelled_tracks"] == 2
    assert score(labels, as_tracks(labels)).counts["labelled_tracks"] == 1


def test_classes_are_those_of_the_track_or_of_the_moment() -> None:
    labels = label_rows(*moving(7, 7))
    tracks = track_rows(*moving(1, 1))
    tracks["detected_class_id"] = (1, 0)
    whole = score(labels, tracks, class_aware=True)
    moment = score(labels, tracks, class_aware=True, track_class="moment")
    assert (whole.counts["TP"], moment.counts["TP"]) == (2, 1)


def test_super_classes_gather_classes() -> None:
    labels = label_rows(*moving(7, 7, class_id=1))
    tracks = track_rows(*moving(1, 1, class_id=3))
    found = evaluate_tracks({"r": labels}, {"r": tracks}, "etram_tracks_3class", etram.CLASSES)
    assert found.per_class["vehicle"].metrics["HOTA"] == 1


def test_groups_by_lighting_have_their_own_values(any_class: TrackProtocol) -> None:
    labels = {f"test_{name}_1": label_rows(*moving(7, 7)) for name in ("day", "night", "twilight")}
    labels["test_twilight_1"] = label_rows()
    tracks = {name: track_rows() for name in labels}
    tracks["test_day_1"] = track_rows(*moving(1, 1))
    found = evaluate_tracks(labels, tracks, any_class, CLASSES)
    assert {name: each["HOTA"] for name, each in found.groups.items()} == {"day": 1, "night": 0}


@pytest.mark.parametrize("side", ["label", "track"])
def test_two_boxes_of_a_track_at_one_time_are_an_error(side: str, any_class: TrackProtocol) -> None:
    good, double = moving(7, 7), [*moving(7, 7), (100_000, 5, 5, 5, 5, 7, 0)]
    labels = label_rows(*(double if side == "label" else good))
    tracks = track_rows(*(double if side == "track" else good))
    with pytest.raises(
        LabelError, match=rf"the {side} table of 'street' has two boxes of track 7 at 100000 us"
    ):
        evaluate_tracks({"street": labels}, {"street": tracks}, any_class)


def without(table: LabelTable, column: str) -> LabelTable:
    names = [name for name in table.dtype.names or () if name != column]
    return np.array(table[names].tolist(), table[names].dtype)


def test_tables_without_what_is_needed_are_errors(any_class: TrackProtocol) -> None:
    labels, tracks = label_rows(*moving(7, 7)), track_rows(*moving(1, 1))
    with pytest.raises(LabelError, match="label table of 'r' lacks the column 'track_id'"):
        score(without(labels, "track_id"), tracks)
    with pytest.raises(LabelError, match="lacks the column 'detected_class_id'"):
        score(labels, without(tracks, "detected_class_id"), track_class="moment")
    with pytest.raises(ValueError, match=r"\['r'\] have no table of tracks; track them"):
        evaluate_tracks({"r": labels}, {}, any_class)
    with pytest.raises(ProtocolError, match="such as 'etram_tracks_any'"):
        evaluate_tracks({"r": labels}, {"r": tracks}, "etram_tracks_8class", CLASSES)
    tracks["x"][0] = np.nan
    with pytest.raises(LabelError, match="track table of 'r' has 1 boxes that are not finite"):
        score(labels, tracks)


def test_tables_of_other_programs_hold_detected_boxes() -> None:
    labels = label_rows(*moving(7, 7))
    tracks = without(track_rows(*moving(1, 1)), "state")
    assert score(labels, tracks).overall["HOTA"] == 1
    assert score(labels, tracks, states=["rested"]).num_tracked == 0


def test_only_rows_of_the_wanted_states_count() -> None:
    labels, tracks = label_rows(*moving(7, 7, 7)), track_rows(*moving(1, 1, 1))
    tracks["state"] = (0, 1, 2)
    assert score(labels, tracks).num_tracked == 3
    assert score(labels, tracks, states=["seen", "rested"]).num_tracked == 2


def test_boxes_up_to_the_start_do_not_count() -> None:
    labels = label_rows(*moving(7, 7, 7))
    found = score(labels, as_tracks(labels), start_us=100_000)
    assert (found.num_labels, found.num_tracked, found.num_moments) == (1, 1, 1)


def test_labels_of_classes_that_do_not_count_still_make_moments() -> None:
    labels = label_rows(*moving(7, 7), *moving(8, first=2, class_id=1))
    tracks = track_rows(*moving(1, 1, 1))
    assert score(labels, tracks, class_names=("car",)).counts["FP"] == 1


def test_fingerprint_is_of_what_counts(random_tables: MakeTables) -> None:
    labels, tracks = random_tables(6)
    protocol = TrackProtocol(name="own")

    def found(labels: dict[str, LabelTable]) -> str:
        return evaluate_tracks(labels, tracks, protocol, CLASSES).ground_truth

    first = next(iter(labels))
    reordered = labels | {first: labels[first][::-1]}
    moved = {name: table.copy() for name, table in labels.items()}
    moved[first]["x"][0] += 1
    assert found(dict(reversed(reordered.items()))) == found(labels)
    assert found(moved) != found(labels)


def test_metrics_are_the_same_after_a_round_trip(random_tables: Callable[..., Tables]) -> None:
    found = evaluate_tracks(*random_tables(7), TrackProtocol(name="own"), CLASSES)
    assert TrackMetrics.model_validate_json(found.model_dump_json()) == found
