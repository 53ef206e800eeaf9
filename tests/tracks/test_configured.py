"""The parameters of the base configuration, which must be the defaults of their types."""

import yaml
from tests.conftest import PROJECT

from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.traffic.settings import CountSettings


def test_runs_of_experiments_that_set_nothing_of_tracks_stay_valid() -> None:
    base = PROJECT / "conf" / "base"
    track = yaml.safe_load((base / "parameters_track.yml").read_text())["track"]
    count = yaml.safe_load((base / "parameters_count.yml").read_text())["count"]
    evaluate = yaml.safe_load((base / "parameters_evaluate.yml").read_text())["evaluate"]

    assert TrackSettings.model_validate(track) == TrackSettings()
    assert CountSettings.model_validate(count) == CountSettings()
    assert "track_protocols" not in EvaluateSettings.model_validate(evaluate).model_dump()
