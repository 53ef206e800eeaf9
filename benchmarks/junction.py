"""A signalled junction in boxes: what a static event camera would detect, and the truth.

Road users drive along straight lanes, stop at red, queue, and set off again; others walk. What
stands still is not detected, since an event camera sees changes only; what is slow or half hidden
is detected rarely and badly. Everything is closed-form, so that hours take seconds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64

from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

WIDTH, HEIGHT = 1280, 720
STEP_US = 50_000
LANE_M, STOP_M, GAP_M = 100.0, 45.0, 7.0
BRAKE_M_S2, PULL_M_S2, CYCLE_S, RED_S = 2.0, 1.5, 60.0, 33.0
LEAST_SIDE_PX, MOST_HIDDEN = 6.0, 0.75
BICYCLE = 2

Values = Float64[np.ndarray, " N"]
Times = Int64[np.ndarray, " W"]


@dataclass(frozen=True)
class Lane:
    """Straight lane: both ends in px, and px per metre there; signalled lanes have a red phase."""

    start: tuple[float, float]
    end: tuple[float, float]
    px_per_m: tuple[float, float]
    red_from_s: float | None = None


LANES = (
    Lane((-60, 430), (1340, 470), (17, 17), 0),
    Lane((1340, 380), (-60, 350), (14, 14), 0),
    Lane((560, 235), (190, 780), (6, 26), 30),
    Lane((480, 780), (680, 235), (26, 6), 30),
)
PATHS = (Lane((-30, 560), (1310, 600), (21, 21)), Lane((1310, 300), (-30, 290), (11, 11)))
SIZES_M = {
    0: (0.6, 1.75),
    1: (3.9, 1.5),
    2: (1.8, 1.7),
    3: (11.0, 3.1),
    4: (2.1, 1.5),
    5: (8.0, 3.2),
}
SHARES = {1: 0.72, 2: 0.10, 3: 0.05, 4: 0.05, 5: 0.08}


@dataclass(frozen=True)
class User:
    """One road user: its way over time has up to five phases of constant acceleration."""

    lane: Lane
    class_id: int
    start_s: float
    speed_m_s: float
    stop_m: float | None = None
    go_s: float = 0.0

    def way_m(self, time_s: Values) -> Values:
        """Metres along the lane at some times."""
        free = self.speed_m_s * (time_s - self.start_s)
        if self.stop_m is None:
            return free
        brakes_for_s = self.speed_m_s / BRAKE_M_S2
        brake_m = self.stop_m - self.speed_m_s * brakes_for_s / 2
        braking_s = (time_s - self.start_s - brake_m / self.speed_m_s).clip(0, brakes_for_s)
        halted = free.clip(None, brake_m) + braking_s * (
            self.speed_m_s - braking_s * BRAKE_M_S2 / 2
        )
        going_s, full_s = (time_s - self.go_s).clip(0), self.speed_m_s / PULL_M_S2
        pulling_s = going_s.clip(None, full_s)
        way: Values = halted + PULL_M_S2 * pulling_s**2 / 2 + self.speed_m_s * (going_s - pulling_s)
        return way

    @property
    def end_s(self) -> float:
        """When it is certainly past the end of its lane."""
        return max(self.start_s, self.go_s) + 2 * LANE_M / self.speed_m_s + 10


def simulate(
    seed: int, seconds: float, users_per_hour: float = 1500
) -> tuple[LabelTable, DetectionTable, Times]:
    """Labels at 10 Hz of all that is in the picture, detections at 20 Hz, and ends of windows."""
    rng = np.random.default_rng(seed)
    users = _users(rng, seconds, users_per_hour)
    parts = [_boxes(user, number + 1, seconds) for number, user in enumerate(users)]
    boxes = np.concatenate([part for part, _ in parts])
    speeds = np.concatenate([speed for _, speed in parts])
    order = np.argsort(boxes["t"], kind="stable")
    boxes, speeds = boxes[order], speeds[order]
    times_us = np.arange(1, int(seconds * 1e6) // STEP_US + 1) * STEP_US
    found = np.concatenate([_detected(rng, boxes, speeds), _false(rng, times_us)])
    labels = boxes[boxes["t"] % (2 * STEP_US) == 0]
    return labels, found[np.argsort(found["t"], kind="stable")], times_us


def _users(rng: np.random.Generator, seconds: float, per_hour: float) -> list[User]:
    users = []
    for lane in (*LANES, *PATHS):
        number = rng.poisson(per_hour * seconds / 3600 / (len(LANES) + len(PATHS)))
        queue: list[float] = []  # when those before set off
        for start_s in np.sort(rng.uniform(-10, seconds, number)).tolist():
            if lane in PATHS:
                users.append(User(lane, 0, start_s, rng.uniform(1.0, 1.6)))
                continue
            class_id = int(rng.choice(list(SHARES), p=list(SHARES.values())))
            speed = rng.uniform(4, 6) if class_id == BICYCLE else rng.uniform(9, 11)
            users.append(_driver(lane, class_id, start_s, speed, queue))
    return users


def _driver(lane: Lane, class_id: int, start_s: float, speed: float, queue: list[float]) -> User:
    """Someone who stops behind the queue, or at the line if it is red."""
    at_line_s = start_s + STOP_M / speed
    in_cycle_s = (at_line_s - (lane.red_from_s or 0)) % CYCLE_S
    ahead = [go_s for go_s in queue if go_s + 3 > at_line_s]
    if in_cycle_s >= RED_S and not ahead:
        return User(lane, class_id, start_s, speed)
    green_s = at_line_s - in_cycle_s + RED_S if in_cycle_s < RED_S else at_line_s
    stop_m = max(STOP_M - GAP_M * len(ahead), 15.0)
    halted_s = start_s + stop_m / speed + speed / BRAKE_M_S2 / 2
    go_s = max(green_s, halted_s + 0.5, max(ahead, default=-np.inf) + 1.5)
    queue.append(go_s)
    return User(lane, class_id, start_s, speed, stop_m, go_s)


def _boxes(user: User, track_id: int, seconds: float) -> tuple[LabelTable, Values]:
    """Boxes of a user in all windows in which it is in the picture, and its speed in px/s."""
    first, last = max(user.start_s, 0.0), min(user.end_s, seconds)
    times_us = np.arange(int(first * 1e6) // STEP_US + 1, int(last * 1e6) // STEP_US + 1) * STEP_US
    x, y, scale = _place(user, times_us / 1e6)
    before_x, before_y, _ = _place(user, times_us / 1e6 - 0.1)
    length, height = (scale * size for size in SIZES_M[user.class_id])
    left, right = (x - length / 2).clip(0, WIDTH), (x + length / 2).clip(0, WIDTH)
    top, foot = (y - height).clip(0, HEIGHT), y.clip(0, HEIGHT)
    inside = np.minimum(right - left, foot - top) > LEAST_SIDE_PX
    table = np.zeros(np.count_nonzero(inside), LABEL_DTYPE)
    values = {"t": times_us, "x": left, "y": top, "w": right - left, "h": foot - top}
    for name, value in values.items():
        table[name] = value[inside]
    table["class_id"], table["track_id"], table["class_confidence"] = user.class_id, track_id, 1
    return table, (np.hypot(x - before_x, y - before_y) / 0.1)[inside]


def _place(user: User, time_s: Values) -> tuple[Values, Values, Values]:
    """Ground point in px, and px per metre, of a user; distances shrink as in perspective."""
    near, far = user.lane.px_per_m
    share = user.way_m(time_s) / LANE_M
    along = share * near / (far + share * (near - far)) if near != far else share
    x, y = (a + along * (b - a) for a, b in zip(user.lane.start, user.lane.end, strict=True))
    return x, y, near + along * (far - near)


def _detected(rng: np.random.Generator, boxes: LabelTable, speeds: Values) -> DetectionTable:
    """Detections of road users: rarer and worse the slower and the more hidden they are."""
    moving, hidden = 1 - np.exp(-((speeds / 22) ** 2)), _hidden(boxes)
    likely = 0.985 * moving * (1 - hidden) ** 0.7
    is_found = (hidden < MOST_HIDDEN) & _chance(rng, len(boxes), likely)
    boxes, likely = boxes[is_found], likely[is_found]
    noise = (0.02 + 0.06 * (1 - moving) + 0.04 * hidden)[is_found]
    found = np.zeros(len(boxes), DETECTION_DTYPE)
    for name, size in zip("xywh", "whwh", strict=True):
        off = noise * rng.normal(0, 1, len(boxes)) * boxes[size] + rng.normal(0, 0.7, len(boxes))
        found[name] = boxes[name] + off
    found["w"], found["h"], found["t"] = found["w"].clip(3), found["h"].clip(3), boxes["t"]
    is_wrong = _chance(rng, len(boxes), 0.1)
    found["class_id"] = np.where(is_wrong, rng.integers(0, 6, len(boxes)), boxes["class_id"])
    found = _scored(found, rng.normal(0.35 + 0.5 * likely, 0.1).clip(0.05, 0.99))
    twice = found[_chance(rng, len(found), 0.02)]
    twice["class_id"] = rng.choice([1, 3, 5], len(twice))
    return np.concatenate([found, _scored(twice, 0.6 * twice["score"])])


def _chance(
    rng: np.random.Generator, shape: int | tuple[int, ...], share: float | Values
) -> npt.NDArray[np.bool_]:
    return np.asarray(rng.random(shape) < share)


def _hidden(boxes: LabelTable) -> Values:
    """Largest share of each box that one nearer box of the same time covers."""
    hidden = np.zeros(len(boxes))
    rows = np.arange(len(boxes))
    for ahead in range(1, len(boxes)):
        rows = rows[rows + ahead < len(boxes)]
        rows = rows[boxes["t"][rows] == boxes["t"][rows + ahead]]
        if not len(rows):
            break
        one, other = boxes[rows], boxes[rows + ahead]
        far = one["y"] + one["h"] < other["y"] + other["h"]
        both = np.ones(len(rows))
        for corner, size in (("x", "w"), ("y", "h")):
            stop = np.minimum(one[corner] + one[size], other[corner] + other[size])
            both *= (stop - np.maximum(one[corner], other[corner])).clip(0)
        behind = np.where(far, rows, rows + ahead)
        covered = both / (boxes["w"] * boxes["h"])[behind]
        hidden[behind] = np.maximum(hidden[behind], covered)
    return hidden.clip(0, 1)


def _false(rng: np.random.Generator, times_us: Times) -> DetectionTable:
    """Detections of nothing, and of two trees in the wind."""
    anywhere = rng.poisson(0.15, len(times_us))
    noise = np.zeros(anywhere.sum(), DETECTION_DTYPE)
    noise["t"] = np.repeat(times_us, anywhere)
    noise["x"], noise["y"] = rng.uniform(0, 1200, len(noise)), rng.uniform(150, 650, len(noise))
    noise["w"], noise["h"] = rng.uniform(15, 90, len(noise)), rng.uniform(15, 70, len(noise))
    noise["class_id"] = rng.integers(0, 6, len(noise))
    trees = np.zeros((2, len(times_us)), DETECTION_DTYPE)
    trees["t"], trees["w"], trees["h"] = times_us, 40, 60
    trees["x"] = np.array([[90.0], [1010.0]]) + rng.normal(0, 4, trees.shape)
    trees["y"] = np.array([[120.0], [60.0]]) + rng.normal(0, 4, trees.shape)
    trees = trees[_chance(rng, trees.shape, 0.25)]
    return np.concatenate(
        [
            _scored(noise, rng.uniform(0.05, 0.5, len(noise))),
            _scored(trees, rng.uniform(0.1, 0.45, len(trees))),
        ]
    )


def _scored(found: DetectionTable, scores: Values) -> DetectionTable:
    for name in ("score", "class_score", "class_confidence"):
        found[name] = scores
    found["objectness"] = 1
    return found
