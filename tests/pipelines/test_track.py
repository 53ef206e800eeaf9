"""Node of the track pipeline."""

from etram_pipeline.core.component import kinds
from etram_pipeline.pipelines.track.nodes import find_unencoded
from etram_pipeline.tracks.trackers import TrackerConfig


def test_recordings_without_windows_are_named_with_the_remedy() -> None:
    assert find_unencoded(["test/a"], ["test/a", "test/b"]) == ""
    fault = find_unencoded(["test/b", "test/a"], ["test/a"])
    assert fault.startswith("1 of 2 recordings with detections have no histograms (test/b)")
    assert fault.endswith("add `preprocess` to --pipelines")


def test_trackers_use_the_same_detections_whether_scores_were_scaled_or_not() -> None:
    for kind in kinds("etram_pipeline.tracks.trackers"):
        config = TrackerConfig.model_validate({"kind": kind})
        scaled = config.with_scaled_scores(lambda score: score**2)
        names = [name for name in type(config).model_fields if name.endswith("_score")]
        assert {"low_score", "high_score"} <= set(names)
        for name, value in config:
            expected = value**2 if name in names else value
            assert getattr(scaled, name) == expected
