"""A stream of a simulated street, against preprocessing and predicting the same recording."""

from pathlib import Path

import numpy as np
import pytest
from tests.exported import describe, write_exported
from tests.streaming.moving import SUPPRESSION, results, together

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.core.recording import Recording
from etram_pipeline.events.encode import encode
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.events.recording import open_recording
from etram_pipeline.inference.predict import predict_recording
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.scene.recordings import write_scene
from etram_pipeline.scene.settings import SceneRecordingsSettings
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.sources.recording import RecordingSource
from etram_pipeline.streaming.stream import DetectionStream

SETTINGS = PredictSettings.model_validate(
    {"windows": "all", "device": "cpu", "precision": "32", "workers": 0, "suppression": SUPPRESSION}
)
HEIGHT, WIDTH = 64, 128


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """One second of traffic by day."""
    folder = tmp_path_factory.mktemp("street")
    settings = SceneRecordingsSettings.model_validate(
        {
            "scene": {"height": HEIGHT, "width": WIDTH, "duration_s": 1.0},
            "num_train": 1,
            "num_val": 1,
            "num_test": 1,
        }
    )
    write_scene(folder, settings, write_recording=write_etram_recording)
    (path,) = folder.glob("test/*_td.h5")
    return open_recording(path)


def test_a_stream_detects_what_is_predicted_in_stored_representations(
    tmp_path: Path, street: Recording
) -> None:
    about = describe(HEIGHT // 2, WIDTH // 2, downsampled_by=2)
    file = write_exported(tmp_path / "detector.onnx", about)
    plan = about.encoding.windows.plan(np.empty(0, np.int64), 0, street)
    images = list(encode(street, plan, about.encoding.representation.build(HEIGHT, WIDTH)))
    stored = RepresentationsInMemory(np.stack(images), plan.stop_us, plan.frame_windows, 2)
    wanted = predict_recording(read_checkpoint(file).detector, stored, SETTINGS)

    stream = DetectionStream(
        ExportedModel(file), HEIGHT, WIDTH, suppression=SUPPRESSION, hold=0, keep_frames=True
    )
    found = results(stream, RecordingSource(street))

    assert len(wanted) > 50
    np.testing.assert_array_equal(together(found), wanted)
    assert [result.stop_us for result in found] == plan.stop_us.tolist()
    for result, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(result.frame, image)
