"""All files of a recording or a site."""

from pathlib import Path

import pytest
from tests.traffic.export.test_site_features import SITE

from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.export import ottrk
from etram_pipeline.traffic.export.recording import ExportedRecording
from etram_pipeline.traffic.export.writing import export_site, export_tracks
from etram_pipeline.traffic.site import Line


def test_every_format_of_tracks_is_written(recording: ExportedRecording, tmp_path: Path) -> None:
    paths = export_tracks(tmp_path, recording)
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "test/street.mot.txt",
        "test/street.geojson",
        "test/street.ottrk",
    ]
    assert all(path.stat().st_size for path in paths)


def test_an_interrupted_file_is_as_it_was(
    recording: ExportedRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = {path: path.read_bytes() for path in export_tracks(tmp_path, recording)}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ottrk, "_detections", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_tracks(tmp_path, recording)
    assert {path: path.read_bytes() for path in (tmp_path / "test").iterdir()} == former


def test_a_site_without_ground_is_written_in_px(tmp_path: Path) -> None:
    paths = export_site(tmp_path, border_site(1280, 720))
    assert [path.name for path in paths] == ["site.otflow", "site.geojson"]


def test_a_site_with_ground_is_also_written_in_metres(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    far = SITE.model_copy(update={"lines": {**SITE.lines, "far": Line(points=((9, 9), (630, 9)))}})
    paths = export_site(tmp_path, far)
    assert [path.name for path in paths] == ["site.otflow", "site.geojson", "site_m.geojson"]
    assert caplog.messages == [
        "site_m.geojson: 'far' lie beyond the ground points and are left out"
    ]
    assert '"name": "north"' in paths[2].read_text()
