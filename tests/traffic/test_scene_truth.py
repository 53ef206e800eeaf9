"""Counts from the labels of the simulated street, whose crossings are known in closed form."""

import numpy as np
import pytest
from tests.traffic.scene_truth import scene_crossings

from etram_pipeline.core import etram
from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.scoring import compare_counts
from etram_pipeline.scene.scene import Scene
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.signal import Signal
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import labelled_tracks
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.default_sites import grid_site
from etram_pipeline.traffic.settings import CountSettings

SIGNAL = Signal(first_s=3, brake_s=1, halt_s=3, cycle_s=12)
COUNT = CountSettings()
EDGE_US = 400_000


@pytest.mark.parametrize(
    ("seed", "changes"),
    [
        (7, {}),
        (8, {"night": True, "density": 1.5}),
        (9, {"signal": SIGNAL}),
    ],
    ids=["day", "busy night", "signal"],
)
def test_crossings_counted_from_labels_are_those_of_the_formula(
    seed: int, changes: dict[str, object]
) -> None:
    settings = SceneSettings.model_validate(
        {"height": 192, "width": 320, "duration_s": 10.0, **changes}
    )
    scene = Scene(settings, seed)
    site = grid_site(settings.width, settings.height)
    upright = {name: line for name, line in site.lines.items() if name.startswith("upright")}
    site = site.model_copy(update={"lines": upright})
    observed = Observed(settings.width, settings.height, 0, settings.duration_us)
    tracks = labelled_tracks(scene.labels)
    found = count_recording(tracks, site, observed, COUNT, etram.CLASSES).crossings
    true = scene_crossings(scene, site.lines)
    metrics = compare_counts(
        {"a": true}, {"a": found}, {"a": observed}, etram.CLASSES, CountProtocol()
    ).overall
    # Whoever passes a line as the recording begins or ends is not seen on both sides of it.
    is_seen = (true["t"] > EDGE_US) & (true["t"] < settings.duration_us - EDGE_US)
    assert metrics.counted >= is_seen.sum() > 25
    assert metrics.precision is not None
    assert metrics.class_accuracy is not None
    assert metrics.precision.value == metrics.class_accuracy.value == 1
    assert who_when(true[is_seen]).keys() <= who_when(found).keys() <= who_when(true).keys()
    off_ms = [abs(who_when(true)[key] - time_us) / 1e3 for key, time_us in who_when(found).items()]
    # The middle of a box is not exactly the middle of the road user.
    assert np.median(off_ms) < 10
    assert max(off_ms) < 150


def who_when(crossings: np.ndarray) -> dict[tuple[int, str, str], int]:
    """Time of each crossing by track, line and direction."""
    return {
        (int(row["track_id"]), str(row["line"]), str(row["direction"])): int(row["t"])
        for row in crossings
    }
