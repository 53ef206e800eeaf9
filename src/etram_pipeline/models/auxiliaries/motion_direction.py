"""The direction in which each object moves, which the polarity of its events shows."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from typing_extensions import override

from etram_pipeline.core.batch import Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.events.representations import stacked_histogram
from etram_pipeline.models.assignment import PaddedTargets
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.boxes import xyxy_to_cxcywh
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.normalisation import foreground_count

_LEAST = 1e-6
_SIDE_IN_STRIDES = 8
"""Largest side of an object that a map of the neck predicts, in strides; the coarsest: any."""


class MotionDirection(Auxiliary):
    """Predicts a vector at the cell of each object's centre; only its direction is learnt.

    The loss is 1 - cos of the angle between the predicted and the true direction, averaged over the
    objects whose direction is known (`directions`). Their own events are the ground truth, so that
    no label is needed but the box.

    That events of both polarities gather at opposite borders of an object, along its motion, and
    that their order in time tells the direction, follows from the model of an event camera:
    Gallego et al., "Event-based Vision: A Survey", TPAMI 2022, section 2.4, eq. 4.
    """

    def __init__(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], config: "Config"
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(channels, 2, 1) for channels in in_channels)
        self.strides, self.config = strides, config

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        frames = step.batch.select_keyframes(step.batch.frames)
        # Half precision cannot count all events of a large object.
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            true = directions(frames, step.batch.targets, self.config)
        image, place = _objects(step.targets)
        is_known = true.is_known[image, place]
        corners = torch.cat([target.boxes_xyxy for target in step.targets])
        predicted = self._at(step.maps, image, corners)
        cosine = cosine_similarity(predicted, true.unit_xy[image, place], dim=1)
        num_known = is_known.sum()
        loss = ((1 - cosine) * is_known).sum() / foreground_count(num_known)
        counted = num_known.to(loss.dtype)
        return {"direction": self.config.weight * loss, "num_directions": counted}, ()

    def _at(
        self, maps: FeatureMaps, image: Int64[Tensor, " N"], boxes_xyxy: Float[Tensor, "N 4"]
    ) -> Float[Tensor, "N 2"]:
        """The vector at the cell of each object's centre, in the map that suits its size."""
        vectors = [level(each) for level, each in zip(self.levels, maps, strict=True)]
        boxes = xyxy_to_cxcywh(boxes_xyxy)
        largest = boxes[:, 2:].amax(1)
        at_levels, is_first = [], torch.ones_like(largest, dtype=torch.bool)
        for vector, stride in zip(vectors, self.strides, strict=True):
            height, width = vector.shape[-2:]
            x, y = (boxes[:, :2] / stride).long().unbind(1)
            here = vector[image, :, y.clamp(0, height - 1), x.clamp(0, width - 1)]
            fits = largest <= _SIDE_IN_STRIDES * stride
            is_chosen = is_first if stride == self.strides[-1] else is_first & fits
            at_levels.append(here.float() * is_chosen[:, None])
            is_first = is_first & ~is_chosen
        return torch.stack(at_levels).sum(0)


@dataclass(frozen=True)
class Directions:
    """Directions of the objects of `K` images, padded to the largest number `G`.

    Attributes:
        unit_xy: Unit vectors; x to the right, y down.
        is_known: Whether the events tell the direction.
    """

    unit_xy: Float[Tensor, "K G 2"]
    is_known: Bool[Tensor, "K G"]


def directions(
    frames: Shaped[Tensor, "K C H W"], targets: tuple[Targets, ...], config: "Config"
) -> Directions:
    """Directions of motion of labelled objects, from stacked histograms.

    The axis is the line from the centre of the events of one polarity in and around the box to the
    centre of those of the other. The direction along it is that in which events move with time: the
    slope of a least-squares line through time bin and position along the axis.

    Boxes fit the end of the window. Without a margin, early events behind the object would be cut
    off, and what is left would seem to move backwards.

    Args:
        frames: Channel `p * bins + b` counts the events of polarity p in bin b.
        targets: Boxes of each image, in px of the frames.
        config: The margin, and least numbers of events and distances.
    """
    padded = PaddedTargets.pad(targets, torch.float32)
    counts = frames.float().unflatten(1, (2, -1))
    bins = torch.arange(counts.shape[2], device=counts.device, dtype=counts.dtype)
    of_bin = counts.sum(1)
    in_time = torch.einsum("nb,kbhw->knhw", torch.stack([bins, bins**2]), of_bin)
    maps = torch.cat([counts.sum(2), in_time], dim=1)
    boxes, margin = padded.boxes_cxcywh, config.margin_px
    columns, rows = (
        _powers(size, boxes[..., axis, None], boxes[..., axis + 2, None] / 2 + margin)
        for axis, size in enumerate((counts.shape[-1], counts.shape[-2]))
    )
    of_rows = torch.einsum("ykgh,knhw->ykgnw", rows, maps)
    moments = torch.einsum("ykgnw,xkgw->yxkgn", of_rows, columns)
    return _from_moments(moments, padded.is_present, len(bins), config)


def _powers(
    length: int, centre: Float[Tensor, "K G 1"], reach: Float[Tensor, "K G 1"]
) -> Float[Tensor, "3 K G L"]:
    """Powers 0 to 2 of the distance of each pixel from a centre; 0 beyond the reach."""
    distance = torch.arange(length, device=centre.device) + 0.5 - centre
    is_near = (distance.abs() < reach).float()
    return torch.stack([is_near, is_near * distance, is_near * distance**2])


def _from_moments(
    moments: Float[Tensor, "3 3 K G 4"],
    is_present: Bool[Tensor, "K G"],
    num_bins: int,
    config: "Config",
) -> Directions:
    """Directions from sums over events.

    Args:
        moments: Sum of `y**i * x**j`, at `[i, j]`, from the centre of each box: of the events of
            polarity 0, of polarity 1, and of all events times their bin, and times its square.
        is_present: False for padding.
        num_bins: Number of bins.
        config: Least numbers of events and distances.
    """
    number, sums = moments[0, 0], torch.stack([moments[0, 1], moments[1, 0]], dim=-1)
    of_polarity = number[..., :2]
    centres = sums[:, :, :2] / of_polarity.clamp(min=_LEAST)[..., None]
    axis = centres[:, :, 1] - centres[:, :, 0]
    length = axis.norm(dim=-1)
    unit = axis / length.clamp(min=_LEAST)[..., None]
    total = of_polarity.sum(-1).clamp(min=_LEAST)
    bin_ = number[..., 2] / total
    spread = (number[..., 3] - total * bin_**2).clamp(min=_LEAST)
    sum_along = (sums[:, :, :2].sum(2) * unit).sum(-1)
    slope = ((sums[:, :, 2] * unit).sum(-1) - bin_ * sum_along) / spread
    xx, xy, yy = (moments[i, j, ..., :2].sum(-1) for i, j in ((0, 2), (1, 1), (2, 0)))
    x, y = unit.unbind(-1)
    variance = (xx * x**2 + 2 * xy * x * y + yy * y**2) / total - (sum_along / total) ** 2
    is_known = (
        is_present
        & (of_polarity.amin(-1) >= config.minimum_events)
        & (length >= config.minimum_distance)
        & (slope.abs() * (num_bins - 1) >= config.minimum_motion)
        & (slope**2 * spread >= config.minimum_significance**2 * variance)
    )
    return Directions(unit * slope.sign()[..., None], is_known)


def _objects(targets: tuple[Targets, ...]) -> tuple[Int64[Tensor, " N"], Int64[Tensor, " N"]]:
    """Image of each object, and its place in the image."""
    counts = [len(target.class_ids) for target in targets]
    device = targets[0].class_ids.device
    image = [number for number, count in enumerate(counts) for _ in range(count)]
    place = [number for count in counts for number in range(count)]
    both = torch.tensor([image, place], dtype=torch.int64).to(device, non_blocking=True)
    return both[0], both[1]


class Config(AuxiliaryConfig):
    """Settings of the direction of motion.

    Attributes:
        weight: Factor of the loss.
        margin_px: Events this far outside the box count, too, in px of the frames: at least as far
            as objects move during a window.
        minimum_events: Least number of events of each polarity.
        minimum_distance: Least distance of the centres of both polarities, in px of the frames.
        minimum_motion: Least motion of the events during the window, in px of the frames.
        minimum_significance: Least motion in units of its standard error.
    """

    kind: Literal["motion_direction"] = "motion_direction"
    weight: NonNegativeFloat = 0.5
    margin_px: NonNegativeFloat = 4.0
    minimum_events: PositiveInt = 10
    minimum_distance: PositiveFloat = 1.0
    minimum_motion: PositiveFloat = 0.5
    minimum_significance: NonNegativeFloat = 1.5

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> MotionDirection:
        return MotionDirection(in_channels, strides, self)

    @override
    def check_clips(self, clips: TrainingClips) -> None:
        found = clips.representation
        needs = "auxiliary motion_direction reads polarities and time bins"
        if found is not None and not isinstance(found, stacked_histogram.Config):
            raise SettingsError(
                f"{needs} of stacked_histogram, but representation.kind is {found.kind}: choose "
                "that representation, or leave the task out"
            )
        if found is not None and found.bins == 1:
            raise SettingsError(
                f"{needs}, but representation.bins is 1: set it to at least 2, or leave the task "
                "out"
            )
