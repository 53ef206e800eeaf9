"""A second head that learns only small objects, on the finest maps."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Targets
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Losses, State, is_loss, part_of
from etram_pipeline.models.heads import Head, HeadConfig, yolox
from etram_pipeline.models.losses import DetectionLoss, LossConfig
from etram_pipeline.models.losses import yolox as yolox_loss
from etram_pipeline.models.size_weights import SMALL_AREA


class SmallObjects(Auxiliary):
    """Detects only the small objects, so that the maps below learn to represent them.

    Its classes are the chosen classes of the detector, in their order.

    Source of the idea: JeongbinOK/eTram-rvt, experiments/ABC_sod_basic_100k.
    """

    id_of_class: Tensor

    def __init__(
        self, head: Head, loss: DetectionLoss, id_of_class: Int64[Tensor, " C"], config: "Config"
    ) -> None:
        """Learn the classes whose `id_of_class` is not -1, as classes of that id."""
        super().__init__()
        self.head, self.loss, self.config = head, loss, config
        self.register_buffer("id_of_class", id_of_class, persistent=False)

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        predictions = self.head(step.maps[: self.config.num_scales])
        losses: Losses = self.loss(predictions, self._choose(step.targets))
        weighed = {
            part_of("small", name): self.config.weight * loss if is_loss(name) else loss
            for name, loss in losses.items()
        }
        return weighed, ()

    def _choose(self, targets: tuple[Targets, ...]) -> tuple[Targets, ...]:
        """The small objects of each image."""
        boxes = torch.cat([target.boxes_xyxy for target in targets])
        ids = self.id_of_class[torch.cat([target.class_ids for target in targets])]
        is_small = self._is_small(boxes, ids)
        of_image = is_small.split([len(target.class_ids) for target in targets])
        # One synchronisation of the device instead of one per image.
        num_small = torch.stack([chosen.sum() for chosen in of_image]).tolist()
        chosen = is_small.nonzero().squeeze(1)
        return tuple(
            Targets(*image)
            for image in zip(
                boxes[chosen].split(num_small), ids[chosen].split(num_small), strict=True
            )
        )

    def _is_small(
        self, boxes_xyxy: Float[Tensor, "N 4"], ids: Int64[Tensor, " N"]
    ) -> Bool[Tensor, " N"]:
        is_learnt = ids >= 0
        if self.config.maximum_area is None:
            return is_learnt
        areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(1)
        return is_learnt & (areas <= self.config.maximum_area)


class Config(AuxiliaryConfig):
    """Settings of the head for small objects; it changes losses and gradients.

    An object is small if it meets both `classes` and `maximum_area`.

    Attributes:
        classes: Names or ids of the classes that count as small; empty: all. Training resolves the
            names.
        maximum_area: Largest area in px of the image that the network sees; None: any.
        num_scales: Number of the neck's maps that it reads, the finest ones; all if fewer exist.
        weight: Factor of its losses.
        head: Predicts boxes from the maps.
        loss: Compares predictions with ground truth.
    """

    kind: Literal["small_objects"] = "small_objects"
    classes: tuple[int | str, ...] = ()
    maximum_area: PositiveFloat | None = SMALL_AREA
    num_scales: PositiveInt = 2
    weight: float = Field(default=2.0, ge=0)
    head: HeadConfig = Field(default_factory=yolox.Config)
    loss: LossConfig = Field(default_factory=yolox_loss.Config)

    @model_validator(mode="after")
    def _check_choice(self) -> "Config":
        if not self.classes and self.maximum_area is None:
            raise ValueError(
                "name classes or a maximum_area; without either, every object is small"
            )
        return self

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> SmallObjects:
        chosen = self._ids(num_classes)
        id_of_class = torch.full((num_classes,), -1)
        id_of_class[chosen] = torch.arange(len(chosen))
        finest = slice(self.num_scales)
        head = self.head.build(in_channels[finest], strides[finest], len(chosen))
        return SmallObjects(head, self.loss.build(len(chosen)), id_of_class, self)

    @override
    def for_classes(self, classes: TrainingClasses) -> "Config":
        names = classes.names
        for name in self.classes:
            if isinstance(name, str) and name not in names:
                raise SettingsError(f"auxiliary.classes: {unknown_name('class', name, names)}")
        ids = (names.index(c) if isinstance(c, str) else c for c in self.classes)
        known = self.model_copy(update={"classes": tuple(ids)})
        learnt = known._ids(len(names))
        chosen = TrainingClasses(
            tuple(names[i] for i in learnt), tuple(classes.counts[i] for i in learnt)
        )
        return known.model_copy(update={"loss": self.loss.for_classes(chosen)})

    def _ids(self, num_classes: int) -> list[int]:
        """Ids of the classes that it learns, ascending."""
        unknown = [class_ for class_ in self.classes if class_ not in range(num_classes)]
        if unknown:
            raise SettingsError(
                f"auxiliary.classes has {unknown[0]!r}, but ids go from 0 to {num_classes - 1}; "
                "names are looked up by a training alone"
            )
        return [id_ for id_ in range(num_classes) if not self.classes or id_ in self.classes]
