"""Detection in several views of each frame."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from pydantic import ValidationError
from tests.exported import write_exported
from tests.models.detector_choices import SMALL
from tests.training.runs import NANO
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.inference.augmentation import check_augmentation, detect_in_views
from etram_pipeline.inference.predict import predict_recording
from etram_pipeline.inference.settings import PredictSettings, ViewSettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.exported import ExportedDetector
from etram_pipeline.models.frame_detector import FrameDetector
from etram_pipeline.training.data import LabelledRecordings

Record = Callable[..., LabelledRecordings]

YOLOX = DetectorConfig.model_validate({"kind": "yolox", "backbone": "lcnet_050"})


class Untrained(FrameDetector):
    """What the detectors of these tests share, which only detect."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    @override
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        return {}


class FindsEvents(Untrained):
    """Detects the rectangle of all events of a frame, with the score that the test gives the view.

    Class 0; frames are padded to multiples of 32 px.
    """

    size_multiple = 32

    def __init__(self, scores: dict[tuple[int, bool], float] | None = None) -> None:
        super().__init__()
        self.scores = scores or {}
        self.seen: list[tuple[int, int]] = []

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        self.seen.append((frames.shape[-2], frames.shape[-1]))
        return [self._find(frame) for frame in frames]

    def _find(self, frame: Tensor) -> Detections:
        image = frame.sum(0)
        y, x = (image > image.max() / 2).nonzero().unbind(1)
        box = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()
        marked_left = bool(image[:, : image.shape[1] // 2].sum() > image.sum() / 2)
        score = self.scores.get((frame.shape[-1], marked_left), 0.5)
        return Detections(box[None], torch.tensor([0]), torch.tensor([score]))


def one_object(x1: int = 8, x2: int = 20, height: int = 48, width: int = 64) -> SequenceBatch:
    """A rectangle of events on the left, in rows 16 to 32, at the second window of one lane."""
    frames = torch.zeros(2, 1, 2, height, width, dtype=torch.uint8)
    frames[1, 0, :, 16:32, x1:x2] = 9
    return SequenceBatch(frames, torch.tensor([True]), torch.tensor([[1, 0]]))


def views(**changes: object) -> ViewSettings:
    return ViewSettings.model_validate(changes)


def settings(**changes: object) -> PredictSettings:
    return PredictSettings.model_validate(
        {"windows": "all", "device": "cpu", "precision": "32", "workers": 0}
        | {"suppression": {"score_threshold": 0}}
        | changes
    )


@pytest.mark.parametrize("input_size", [None, (48, 32)], ids=str)
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.0])
def test_every_view_finds_an_object_where_it_is(
    scale: float, *, mirror: bool, input_size: tuple[int, int] | None
) -> None:
    detector = FindsEvents().eval()
    detector.input_size = input_size
    (found,) = detect_in_views(
        detector, one_object(), SuppressionSettings(), views(scales=[scale], mirror=mirror)
    )
    assert found.boxes_xyxy.tolist() == [[8, 16, 20, 32]]


def test_a_scale_multiplies_the_size_that_a_detector_resizes_frames_to() -> None:
    detector = FindsEvents().eval()
    everything, suppression = views(scales=[0.5, 1.0, 2.0]), SuppressionSettings()
    detect_in_views(detector, one_object(height=60, width=64), suppression, everything)
    assert detector.seen == [(32, 32), (64, 64), (128, 128)]
    detector.seen.clear()
    detector.input_size = (96, 96)
    detect_in_views(detector, one_object(), suppression, everything)
    assert detector.seen == [(64, 64), (96, 96), (192, 192)]
    assert detector.input_size == (96, 96)


def test_suppression_keeps_the_best_of_the_boxes_of_all_views_class_by_class() -> None:
    # The mirrored view sees the object on the right.
    scores = {(64, True): 0.4, (64, False): 0.7, (128, True): 0.6, (128, False): 0.3}
    detector = FindsEvents(scores).eval()
    chosen = views(scales=[1.0, 2.0], mirror=True)
    batch = one_object()
    (best,) = detect_in_views(detector, batch, SuppressionSettings(), chosen)
    assert best.scores.tolist() == pytest.approx([0.7])
    every = SuppressionSettings(iou_threshold=1)
    (kept,) = detect_in_views(detector, batch, every, chosen)
    assert kept.scores.tolist() == pytest.approx([0.7, 0.6, 0.4, 0.3])
    limited = every.model_copy(update={"max_detections": 2})
    (few,) = detect_in_views(detector, batch, limited, chosen)
    assert few.scores.tolist() == pytest.approx([0.7, 0.6])


class TwoClasses(Untrained):
    """Two boxes of IoU 0.5: class 1 if the frame's events are on the left, class 0 otherwise."""

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        on_left = bool(frames[..., :32].any())
        x1, x2, score = (0, 20, 0.9) if on_left else (64 - 30, 64 - 0, 0.8)
        box = torch.tensor([[x1, 0, x2, 10]], dtype=torch.float32)
        mask = torch.zeros(1, 48, 64, dtype=torch.bool)
        mask[0, :10, x1:x2] = True
        return [
            Detections(
                box,
                torch.tensor([int(on_left)]),
                torch.tensor([score]),
                objectness=torch.tensor([score]),
                class_scores=torch.tensor([1.0]),
                masks=mask,
            )
        ]


def test_other_classes_are_suppressed_only_if_asked_for_and_masks_go_along() -> None:
    detector, batch = TwoClasses().eval(), one_object()
    suppression = SuppressionSettings(iou_threshold=0.6)
    (found,) = detect_in_views(detector, batch, suppression, views(mirror=True))
    # IoU 2/3: 200 px of 300 px.
    assert found.boxes_xyxy.tolist() == [[0, 0, 20, 10], [0, 0, 30, 10]]
    assert found.class_ids.tolist() == [1, 0]
    assert found.objectness is not None
    assert found.objectness.tolist() == pytest.approx([0.9, 0.8])
    assert found.masks is not None
    assert found.masks.sum((1, 2)).tolist() == [200, 300]
    assert found.masks[1, :10, :30].all()
    agnostic = suppression.model_copy(update={"class_agnostic": True})
    (alone,) = detect_in_views(detector, batch, agnostic, views(mirror=True))
    assert alone.class_ids.tolist() == [1]
    loose = agnostic.model_copy(update={"iou_threshold": 0.7})
    (both,) = detect_in_views(detector, batch, loose, views(mirror=True))
    assert len(both.class_ids) == 2


def test_without_keyframes_nothing_is_found() -> None:
    batch = replace(one_object(), keyframes=torch.zeros(0, 2, dtype=torch.int64))
    assert detect_in_views(FindsEvents(), batch, SuppressionSettings(), views(mirror=True)) == []


def test_one_scale_and_no_mirror_is_plain_detection_bit_for_bit(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, frames = YOLOX.build(2, 2), record(1).frames["train/r0"]
    expected = predict_recording(detector, frames, settings())
    monkeypatch.delattr("etram_pipeline.inference.predict.detect_in_views")
    given = settings(augmentation={"scales": [1.0], "mirror": False})
    found = predict_recording(detector, frames, given)
    assert len(found) > 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "choice",
    [
        *({"kind": kind} for kind in SMALL),
        {"kind": "rf_detr", "size": "seg_small", "input_size": (48, 72)},
    ],
    ids=str,
)
def test_every_detector_of_frames_follows_scales_that_its_strides_do_not_divide(
    choice: dict[str, object],
) -> None:
    given = SMALL[str(choice["kind"])] | choice
    detector = DetectorConfig.model_validate(given).build(2, 2).eval()
    everything = SuppressionSettings(score_threshold=0, iou_threshold=1)
    scales = views(scales=[0.4, 1.0, 1.3], mirror=True)
    with torch.inference_mode():
        (found,) = detect_in_views(detector, one_object(), everything, scales)
    assert len(found.scores) > 0
    assert (found.boxes_xyxy >= 0).all()
    assert (found.boxes_xyxy <= torch.tensor([64, 48, 64, 48])).all()
    assert found.masks is None or found.masks.shape == (len(found.scores), 48, 64)


def test_views_change_what_a_real_detector_finds_in_a_recording(record: Record) -> None:
    torch.manual_seed(0)
    detector, frames = YOLOX.build(2, 2), record(1).frames["train/r0"]
    plain = predict_recording(detector, frames, settings())
    given = settings(augmentation={"scales": [1.0, 1.5], "mirror": True})
    found = predict_recording(detector, frames, given)
    assert set(found["t"]) == set(plain["t"])
    assert found["score"].max() >= plain["score"].max()
    assert not np.array_equal(found["x"][:50], plain["x"][:50])


def test_a_detector_with_memory_is_refused_before_it_detects(record: Record) -> None:
    frames = record(1).frames["train/r0"]
    with pytest.raises(SettingsError, match="this RVT carries a memory from window to window"):
        predict_recording(NANO.build(2, 2), frames, settings(augmentation={"mirror": True}))


def test_rvt_without_memory_detects_in_views(record: Record) -> None:
    config = NANO.model_dump(serialize_as_any=True) | {"cell": {"kind": "identity"}}
    detector = DetectorConfig.model_validate(config).build(2, 2)
    frames = record(1).frames["train/r0"]
    found = predict_recording(detector, frames, settings(augmentation={"mirror": True}))
    assert len(found) > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scales": []}, "at least 1 item"),
        ({"scales": [0.0]}, "greater than 0"),
        ({"scales": [-1.0]}, "greater than 0"),
        ({"scales": [float("inf")]}, "finite"),
        ({"scales": [1.0, 0.5, 1.0]}, "repeats a scale"),
        ({"flip": True}, "unknown key 'flip'"),
    ],
)
def test_views_that_make_no_sense_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PredictSettings.model_validate({"augmentation": given})


def test_settings_without_views_are_stored_as_before_views_existed() -> None:
    assert "augmentation" not in settings().model_dump()
    stored = settings(augmentation={"mirror": True}).model_dump()
    assert stored["augmentation"] == {"scales": (1.0,), "mirror": True}
    assert PredictSettings.model_validate(stored).augmentation.mirror


def test_a_file_for_frames_of_one_size_cannot_see_them_in_others(tmp_path: Path) -> None:
    exported = ExportedDetector(write_exported(tmp_path / "detector.onnx", remembers=False))
    check_augmentation(exported, ViewSettings(mirror=True))
    with pytest.raises(SettingsError, match=r"can only read frames of 32 x 64 px: remove them"):
        check_augmentation(exported, ViewSettings(scales=(1.0, 2.0)))
