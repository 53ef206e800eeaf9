"""Example frames."""

from collections.abc import Callable
from dataclasses import replace

import h5py
import numpy as np
import pytest

from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.examples import example_images
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.stores.representation_store import StoredRepresentations

CAR = (4.0, 4.0, 20.0, 20.0, 0)
TIMES = (50_000, 100_000, 150_000)
Choose = Callable[..., dict[str, RgbImage]]


@pytest.fixture
def choose(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    make_detections: Callable[..., DetectionTable],
) -> Choose:
    """Examples of recordings with a car at each of three frames, found where `found` says."""

    def make(
        found: dict[str, tuple[int, ...]], num_examples: int = 1, score: float = 0.9
    ) -> dict[str, RgbImage]:
        labels = make_labels(TIMES, *[(t, *CAR) for t in TIMES])
        return example_images(
            {key: make_frames(key, labelled_us=TIMES) for key in found},
            dict.fromkeys(found, labels),
            {key: make_detections(*[(t, *CAR, score) for t in at]) for key, at in found.items()},
            ["car"],
            ReportSettings(num_examples=num_examples, scale=4),
        )

    return make


def test_best_and_worst_frame_of_day_and_night_are_shown(choose: Choose) -> None:
    images = choose({"test/test_day_0001": (100_000,), "test/test_night_0001": (50_000, 150_000)})
    assert list(images) == [
        "best by day, test_day_0001 at 0.10 s",
        "worst by day, test_day_0001 at 0.05 s",
        "best by night, test_night_0001 at 0.05 s",
        "worst by night, test_night_0001 at 0.10 s",
    ]


def test_recordings_that_tell_no_lighting_are_shown_together(choose: Choose) -> None:
    images = choose({"test/crossing": (100_000,)})
    assert list(images) == ["best, crossing at 0.10 s", "worst, crossing at 0.05 s"]


def test_examples_come_of_different_recordings_before_one_gives_two(choose: Choose) -> None:
    images = choose({"test/a": TIMES, "test/b": (100_000,)}, num_examples=2)
    assert list(images)[:2] == ["best, a at 0.05 s", "best, b at 0.10 s"]


def test_uncertain_detections_count_as_little_as_they_are_seen(choose: Choose) -> None:
    sure = choose({"test/a": (100_000,)})
    unsure = choose({"test/a": (100_000,)}, score=0.2)
    assert "best, a at 0.10 s" in sure
    assert "best, a at 0.10 s" not in unsure


def test_missed_label_is_named_on_the_picture(choose: Choose) -> None:
    images = choose({"test/a": (100_000,)})
    found, missed = images["best, a at 0.10 s"], images["worst, a at 0.05 s"]
    white = [int((image == 255).all(axis=2).sum()) for image in (found, missed)]
    assert white[1] > white[0] + 50


def test_nothing_to_choose_from_gives_no_pictures(choose: Choose) -> None:
    assert choose({}) == {}
    assert choose({"test/a": TIMES}, num_examples=0) == {}


def test_frames_without_labels_are_no_examples(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    make_detections: Callable[..., DetectionTable],
) -> None:
    images = example_images(
        {"test/a": make_frames("test/a", labelled_us=TIMES)},
        {"test/a": make_labels(TIMES, (100_000, *CAR))},
        {"test/a": make_detections(), "test/unknown": make_detections((50_000, *CAR, 0.9))},
        ["car"],
        ReportSettings(num_examples=3),
    )
    assert list(images) == ["best, a at 0.10 s"]
    assert all(isinstance(image, np.ndarray) for image in images.values())


def test_frame_between_regular_windows_is_shown_with_the_nearest(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    make_detections: Callable[..., DetectionTable],
) -> None:
    images = example_images(
        {"test/a": make_frames("test/a")},
        {"test/a": make_labels([99_000, 900_000], (99_000, *CAR), (900_000, *CAR))},
        {"test/a": make_detections((100_000, *CAR, 0.9))},
        ["car"],
        ReportSettings(num_examples=3, scale=4),
    )
    assert list(images) == ["best, a at 0.10 s"]


def test_recording_without_windows_has_no_examples(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    make_detections: Callable[..., DetectionTable],
) -> None:
    images = example_images(
        {"test/a": make_frames("test/a", num_windows=0)},
        {"test/a": make_labels([99_000], (99_000, *CAR))},
        {"test/a": make_detections()},
        ["car"],
        ReportSettings(),
    )
    assert images == {}


def test_examples_show_the_whole_window_of_any_representation(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    make_detections: Callable[..., DetectionTable],
) -> None:
    counts = make_frames("test/a", labelled_us=TIMES)
    path = counts.path.with_name("signs.h5")
    with h5py.File(path, "w") as file:
        file["data"] = counts.read(0, counts.num_windows).astype(np.int8)
    encoding = EncodingSettings.model_validate(
        {"windows": {"kind": "regular"}, "representation": {"kind": "vtei", "bins": 4}}
    )
    signs = replace(counts, path=path, dtype="int8", encoding=encoding)
    shown = [
        example_images(
            {"test/a": frames},
            {"test/a": make_labels(TIMES, *[(t, *CAR) for t in TIMES])},
            {"test/a": make_detections((100_000, *CAR, 0.9))},
            ["car"],
            ReportSettings(num_examples=1),
        )
        for frames in (counts, signs)
    ]
    for title, picture in shown[0].items():
        np.testing.assert_array_equal(shown[1][title], picture)
