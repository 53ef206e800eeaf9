import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.models.learning_steps import learning_step
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.representations.stacked_histogram import Config as Histogram
from etram_pipeline.models.auxiliaries.motion_direction import Config, directions
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.detectors import rvt

MakeBatch = Callable[..., SequenceBatch]
SIZE = 48
EASY = Config(minimum_events=1, minimum_distance=1e-3, minimum_motion=1e-3, minimum_significance=0)
BOX = [8.0, 8.0, 40.0, 40.0]


def moving_square(angle: float, brightness: float, *, travel_px: float = 3) -> Tensor:
    """Histogram of a square of 12 px that moves across grey in the direction of an angle."""
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    rows: list[tuple[int, int, int, bool]] = []
    heading, before = np.array([math.cos(angle), math.sin(angle)]), np.zeros(0)
    for moment in range(101):
        centre = SIZE / 2 + travel_px * (moment / 100 - 0.5) * heading
        covered = [np.clip(6.5 - np.abs(axis - centre[i]), 0, 1) for i, axis in enumerate((x, y))]
        crossed = np.floor(brightness * covered[0] * covered[1] / 0.2)
        if moment:
            for row, column in np.argwhere(crossed != before).tolist():
                rises = bool(crossed[row, column] > before[row, column])
                rows.append((column, row, 500 * moment, rises))
        before = crossed
    columns, lines, times_us, polarity = map(np.array, zip(*rows, strict=True))
    events = Events(
        columns.astype(np.uint16), lines.astype(np.uint16), times_us, polarity.astype(np.uint8)
    )
    return torch.from_numpy(
        Histogram(bins=10, max_count=None, downsample=None).build(SIZE, SIZE)(events)
    )


def objects(*boxes: list[float]) -> Targets:
    corners = torch.tensor(boxes).view(-1, 4)
    return Targets(corners, torch.zeros(len(corners), dtype=torch.int64))


@pytest.mark.parametrize("brightness", [1.0, -1.0], ids=["bright on dark", "dark on bright"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 45, 200])
def test_polarity_tells_the_direction_of_motion(degrees: int, brightness: float) -> None:
    angle = math.radians(degrees)
    frames = moving_square(angle, brightness)[None]
    end = SIZE / 2 + 1.5 * np.array([math.cos(angle), math.sin(angle)])
    box = [*(end - 6.5), *(end + 6.5)]  # labels tell where objects are at the end of the window
    found = directions(frames, (objects(box),), Config())
    assert found.is_known.tolist() == [[True]]
    x, y = found.unit_xy[0, 0].tolist()
    assert math.hypot(x, y) == pytest.approx(1)
    assert x * math.cos(angle) + y * math.sin(angle) > math.cos(math.radians(5))


def by_hand(frame: Tensor, box: list[float]) -> tuple[float, float]:
    """Direction of one object, event by event."""
    events = []
    for channel, row, column in frame.nonzero().tolist():
        x, y = column + 0.5, row + 0.5
        if box[0] - 4 < x < box[2] + 4 and box[1] - 4 < y < box[3] + 4:
            events += [(channel // 10, channel % 10, x, y)] * int(frame[channel, row, column])
    centres = [np.mean([e[2:] for e in events if e[0] == p], axis=0) for p in (0, 1)]
    axis = (centres[1] - centres[0]) / np.linalg.norm(centres[1] - centres[0])
    slopes = [np.polyfit([e[1] for e in events], [e[i] for e in events], 1)[0] for i in (2, 3)]
    sign = np.sign(np.dot(slopes, axis))
    return float(sign * axis[0]), float(sign * axis[1])


def test_directions_are_those_of_the_events_one_by_one() -> None:
    first, second = moving_square(0.7, 1.0), moving_square(4.0, -1.0)
    boxes = [BOX, [8.0, 8.0, 27.3, 40.0], [10.2, 15.0, 40.0, 27.0]]
    found = directions(torch.stack([first, second]), (objects(*boxes), objects(BOX)), EASY)
    assert found.is_known.tolist() == [[True] * 3, [True, False, False]]
    for place, box in enumerate(boxes):
        assert found.unit_xy[0, place].tolist() == pytest.approx(by_hand(first, box), abs=1e-3)
    assert found.unit_xy[1, 0].tolist() == pytest.approx(by_hand(second, BOX), abs=1e-3)


def test_objects_that_stand_still_or_show_few_events_are_left_out() -> None:
    frame = moving_square(0, 1.0)[None]
    boxes = (objects(BOX, [0.0, 0.0, 8.0, 8.0]),)
    assert directions(frame, boxes, Config()).is_known.tolist() == [[True, False]]
    for strict in (
        Config(minimum_events=10_000),
        Config(minimum_distance=40),
        Config(minimum_motion=40),
        Config(minimum_significance=100),
    ):
        assert not directions(frame, boxes, strict).is_known.any()
    flicker = torch.full((1, 20, SIZE, SIZE), 3, dtype=torch.uint8)
    assert not directions(flicker, boxes, Config()).is_known.any()


def test_only_objects_whose_direction_is_known_teach_it_at_their_cell() -> None:
    frames = torch.stack([moving_square(0, 1.0), moving_square(math.pi / 2, 1.0)])[:, None]
    frames = torch.cat([frames, torch.zeros_like(frames[:1])])
    boxes = (objects(BOX), objects([0.0, 0.0, 8.0, 8.0], BOX), objects(BOX))
    maps = tuple(torch.zeros(3, 2, SIZE // s, SIZE // s, requires_grad=True) for s in (4, 8))
    task = Config(weight=2.0).build((2, 2), (4, 8), 1)
    for level in task.levels:
        level.weight.data = torch.eye(2)[..., None, None]
        level.bias.data = torch.tensor([1.0, 0.0])
    step = learning_step(boxes, maps=maps, frames=frames)
    losses, _ = task(step, ())
    # To the right is predicted everywhere: right for the first, at a right angle to the second.
    assert losses["num_directions"] == 2
    assert losses["direction"].item() == pytest.approx(2 * (0 + 1) / 2, abs=0.02)
    losses["direction"].backward()
    fine, coarse = maps
    assert fine.grad is not None
    assert coarse.grad is not None
    assert coarse.grad.count_nonzero() == 0  # 32 px are 8 strides of 4 px
    assert fine.grad.nonzero()[:, [0, 2, 3]].unique(dim=0).tolist() == [[1, 6, 6]]
    assert fine.grad[1, 1, 6, 6] < 0  # downwards


def test_large_objects_are_predicted_on_the_coarsest_map() -> None:
    frames = moving_square(math.pi / 2, 1.0)[None, None]
    maps = tuple(torch.zeros(1, 2, SIZE // s, SIZE // s, requires_grad=True) for s in (2, 4))
    task = Config().build((2, 2), (2, 4), 1)
    large = objects([0.0, 0.0, 47.0, 47.0])
    losses, _ = task(learning_step((large,), maps=maps, frames=frames), ())
    losses["direction"].backward()
    assert [level.grad is not None and bool(level.grad.any()) for level in maps] == [False, True]


def test_a_detector_learns_the_direction_without_being_slower_in_detection(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    helped = config.model_copy(update={"auxiliary": EASY, "input_size": (96, 128)}).build(4, 3)
    losses, state = helped.train().losses(make_batch(), ())
    assert losses["num_directions"] == 4
    assert 0 < losses["direction"] < 1
    assert len(state) == len(config.build(4, 3).losses(make_batch(), ())[1])


@pytest.mark.parametrize(
    ("representation", "message"),
    [
        ({"kind": "mixed_density", "bins": 10}, "representation.kind is mixed_density"),
        ({"kind": "stacked_histogram", "bins": 1}, "representation.bins is 1"),
    ],
)
def test_representations_without_polarity_or_time_are_refused(
    representation: dict[str, object], message: str
) -> None:
    found = RepresentationConfig.model_validate(representation)
    with pytest.raises(SettingsError, match=message):
        rvt.Config(auxiliary=Config()).check_clips(TrainingClips(2, found))
    rvt.Config(auxiliary=Config()).check_clips(TrainingClips(2, Histogram()))
