"""Protocols of tracks: names, differences, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.protocols import NAMED
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.protocols import TRACK_PROTOCOLS, resolve_track_protocol


def test_overlaps_are_those_of_trackeval_to_the_last_bit() -> None:
    default = TrackProtocol(name="own").iou_thresholds
    assert list(default) == np.arange(0.05, 0.99, 0.05).tolist()


@pytest.mark.parametrize("name", TRACK_PROTOCOLS)
def test_named_protocols_are_written_and_read(name: str) -> None:
    protocol = resolve_track_protocol(name)
    assert protocol.name == name
    assert TrackProtocol.model_validate_json(protocol.model_dump_json()) == protocol
    assert name not in NAMED


def test_like_takes_the_rest_from_a_named_one() -> None:
    protocol = resolve_track_protocol({"like": "etram_tracks_30hz", "name": "own", "match_iou": 1})
    assert (protocol.interpolate_us, protocol.match_iou) == (100_000, 1)


def test_states_have_one_order() -> None:
    one, other = (
        TrackProtocol.model_validate({"name": "own", "states": states})
        for states in (["rested", "seen"], ["seen", "rested", "seen"])
    )
    assert one == other


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("etram_track_any", "did you mean 'etram_tracks_any'"),
        ({"name": "etram_tracks_any", "match_iou": 0.7}, "means another protocol"),
        ({"name": "coco"}, "'coco' means another protocol"),
        ({"name": "own", "match_ou": 0.7}, "did you mean 'match_iou'"),
        ({"name": "own", "iou_thresholds": [0.5, 0.4]}, "do not ascend"),
        ({"name": "own", "class_names": ["a", "a"]}, "name a class twice"),
        ({"name": "own", "states": []}, "at least 1"),
        ({"name": "own", "match_iou": 0}, "greater than 0"),
    ],
)
def test_wrong_choices_are_refused(choice: str | dict[str, object], message: str) -> None:
    with pytest.raises((ProtocolError, ValidationError), match=message):
        resolve_track_protocol(choice)


def test_settings_that_say_nothing_of_tracks_are_stored_as_before() -> None:
    settings = EvaluateSettings()
    assert [each.name for each in settings.track_protocols] == [
        "etram_tracks_8class",
        "etram_tracks_any",
    ]
    assert "track_protocols" not in settings.model_dump()
    none = EvaluateSettings.model_validate({"track_protocols": []})
    assert EvaluateSettings.model_validate(none.model_dump()) == none


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"track_protocols": ["etram_tracks_2class"]}, "did you mean 'etram_tracks_8class'"),
        ({"track_protocols": ["etram_8class"]}, "unknown protocol 'etram_8class'"),
        ({"protocols": [{"name": "etram_tracks_any"}]}, "means another protocol"),
        ({"protocols": [{"name": "x"}], "track_protocols": [{"name": "x"}]}, "both have"),
        ({"track_protocols": ["etram_tracks_any"] * 2}, "asked for twice"),
    ],
)
def test_settings_with_unclear_names_are_refused(choices: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EvaluateSettings.model_validate(choices)


def test_one_name_may_be_given_without_a_list() -> None:
    settings = EvaluateSettings.model_validate({"track_protocols": "etram_tracks_30hz"})
    assert settings.track_protocols == (TRACK_PROTOCOLS["etram_tracks_30hz"],)
