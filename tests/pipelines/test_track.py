"""Node of the track pipeline."""

from etram_pipeline.pipelines.track.nodes import find_unencoded


def test_recordings_without_windows_are_named_with_the_remedy() -> None:
    assert find_unencoded(["test/a"], ["test/a", "test/b"]) == ""
    fault = find_unencoded(["test/b", "test/a"], ["test/a"])
    assert fault.startswith("1 of 2 recordings with detections have no histograms (test/b)")
    assert fault.endswith("add `preprocess` to --pipelines")
