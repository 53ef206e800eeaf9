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

    The axis is the line from the centre of the events of one polarity inside the box to the centre
    of those of the other. The direction along it is that in which events move with time: the slope
    of a least-squares line through time bin and position. It is known if there are enough events of
    both polarities, and if the centres and the motion from the first to the last bin, along the
    axis, are far enough apart.

    Args:
        frames: Channel `p * bins + b` counts the events of polarity p in bin b.
        targets: Boxes of each image, in px of the frames.
        config: Least numbers of events and distances.
    """
    padded = PaddedTargets.pad(targets, torch.float32)
    counts = frames.float()
    height, width = counts.shape[-2:]
    x, y = (torch.arange(n, device=counts.device) + 0.5 for n in (width, height))
    centre, half = padded.boxes_cxcywh[..., :2], padded.boxes_cxcywh[..., 2:] / 2
    columns = ((x - centre[..., 0:1]).abs() < half[..., 0:1]).float()
    rows = ((y - centre[..., 1:2]).abs() < half[..., 1:2]).float()
    # Positions from the centre of the box, as their squares are summed.
    of_columns = torch.stack([columns, columns * (x - centre[..., 0:1])])
    across = torch.einsum("kgh,kchw->kgcw", rows, counts)
    along = torch.einsum("kgh,kchw->kgcw", rows * (y - centre[..., 1:2]), counts)
    number, sum_x = torch.einsum("kgcw,mkgw->mkgc", across, of_columns)
    sum_y = torch.einsum("kgcw,kgw->kgc", along, columns)
    return _from_sums(number, torch.stack([sum_x, sum_y], dim=-1), padded.is_present, config)


def _from_sums(
    number: Float[Tensor, "K G C"],
    sums_xy: Float[Tensor, "K G C 2"],
    is_present: Bool[Tensor, "K G"],
    config: "Config",
) -> Directions:
    """Directions from the number of events of each channel and the sums of their positions."""
    number, sums = number.unflatten(2, (2, -1)), sums_xy.unflatten(2, (2, -1))
    of_polarity = number.sum(3)
    centres = sums.sum(3) / of_polarity.clamp(min=_LEAST)[..., None]
    axis = centres[:, :, 1] - centres[:, :, 0]
    length = axis.norm(dim=-1)
    unit = axis / length.clamp(min=_LEAST)[..., None]
    of_bin, sums_of_bin = number.sum(2), sums.sum(2)
    total = of_bin.sum(2).clamp(min=_LEAST)
    bins = torch.arange(of_bin.shape[2], device=number.device, dtype=number.dtype)
    offset = bins - ((of_bin * bins).sum(2) / total)[..., None]
    spread = (of_bin * offset**2).sum(2).clamp(min=_LEAST)
    slope = (sums_of_bin * offset[..., None]).sum(2) / spread[..., None]
    motion = (slope * unit).sum(-1) * (len(bins) - 1)
    is_known = (
        is_present
        & (of_polarity.amin(2) >= config.minimum_events)
        & (length >= config.minimum_distance)
        & (motion.abs() >= config.minimum_motion)
    )
    return Directions(unit * motion.sign()[..., None], is_known)


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
        minimum_events: Least number of events of each polarity inside the box.
        minimum_distance: Least distance of the centres of both polarities, in px of the frames.
        minimum_motion: Least motion of the events during the window, in px of the frames.
    """

    kind: Literal["motion_direction"] = "motion_direction"
    weight: NonNegativeFloat = 0.5
    minimum_events: PositiveInt = 10
    minimum_distance: PositiveFloat = 1.0
    minimum_motion: PositiveFloat = 0.5

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
