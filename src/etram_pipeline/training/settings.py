"""How to train: parameters only, so that reading them imports nothing heavy."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from etram_pipeline.clips.augmentation import AugmentationSettings
from etram_pipeline.clips.schedule import SamplingSettings
from etram_pipeline.core.component import Settings
from etram_pipeline.core.machine import Workers
from etram_pipeline.core.scaling_kind import ScalingKind
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED, expand_choice
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.execution import Execution, Precision
from etram_pipeline.training.optimizers import OptimizerConfig, adamw

_EXECUTION = (
    "checkpoint_every_steps",
    "log_every_steps",
    "workers",
    "execution",
    "deterministic",
    "accelerator",
    "devices",
    "num_nodes",
    "launcher",
)


class ResolutionSettings(Settings):
    """Training at several resolutions; validation and detection stay at that of the frames.

    Attributes:
        scales: Factors of the height and width of the frames, of which one is drawn at a time. An
            empty list keeps the frames as they are, as in the reference; any other changes what is
            learnt.
        every_batches: Batches in a row that share a scale, in all lanes and on all devices.
    """

    scales: tuple[float, ...] = ()
    every_batches: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _check_scales(self) -> "ResolutionSettings":
        if not all(0 < scale < math.inf for scale in self.scales):
            raise ValueError(f"scales must be positive, not {list(self.scales)}")
        return self


def _written_out(choice: object) -> object:
    """A protocol given by fields, with those it takes from another; a name as it is."""
    return (
        Protocol.model_validate(expand_choice(choice, NAMED))
        if isinstance(choice, Mapping)
        else choice
    )


class ValidationSettings(Settings):
    """How the detector is scored while it trains.

    Attributes:
        protocol: Evaluation protocol: its name, or its fields as in `evaluate.protocols`. The first
            value of its first metric selects the best checkpoint: AP under the named protocols.
        every_steps: Steps between two validations; the last step is always validated.
        patience: Validations without a better value after which training stops; None: never.
        min_delta: A value that is better by no more than this is not better for `patience`. The
            best checkpoint is selected without it.
        lanes: Recordings read side by side.
        suppression: Which predictions count.
        scaling: How scores become probabilities. `temperature`: one number makes all of them more
            or less certain. `platt`: two numbers, for scores that are all too low or too high.
            `isotonic`: steps, for many detections.
    """

    protocol: Annotated[str | Protocol, BeforeValidator(_written_out)] = "etram_8class"
    every_steps: int = Field(default=10_000, ge=1)
    patience: int | None = Field(default=None, ge=1)
    min_delta: float = Field(default=0.0, ge=0, exclude_if=lambda value: value == 0)
    lanes: int = Field(default=12, ge=1)
    suppression: SuppressionSettings = SuppressionSettings()
    scaling: ScalingKind = Field(
        default="temperature", exclude_if=lambda value: value == "temperature"
    )

    @field_validator("protocol")
    @classmethod
    def _check_protocol(cls, protocol: str | Protocol) -> str | Protocol:
        if isinstance(protocol, Protocol) and protocol.latency_ms is not None:
            raise ValueError(
                f"protocol {protocol.name!r} has a latency, which needs detections in all windows, "
                "but a training is validated at labelled frames: choose one without latency_ms"
            )
        return protocol


class TrainSettings(Settings):
    """One training; the defaults are the reference's for a sensor of a megapixel.

    Attributes:
        seed: Decides weights, order and augmentation.
        max_steps: Optimizer steps.
        lanes: Clips in a batch, on each device.
        clip_length: Windows in a clip, through which gradients flow.
        sampling: How recordings are read.
        stream_augmentation: Drawn once for each stretch that is streamed.
        random_augmentation: Drawn for each random clip.
        resolution: Sizes that frames are resized to.
        optimizer: Optimizer and learning rate.
        average_decay: Share of the running average of the weights that each step keeps; the average
            is what is validated and saved. None: the weights themselves.
        start_from: Checkpoint of this project or of RVT, or file of the library that the detector's
            family comes from, to take weights from, where they fit; None: start from random ones.
        freeze: Parameters whose names start with one of these do not learn, nor do the statistics
            of their layers.
        validation: How and when the detector is scored.
        checkpoint_every_steps: Steps after which a killed training continues at the latest.
        log_every_steps: Steps between two points of a loss curve.
        precision: Of the arithmetic; `auto`: bfloat16 where the hardware has it, else float16 on a
            GPU and float32 on a CPU.
        workers: Processes that read clips; 0: a thread of the training reads them. `auto`: several
            for a GPU, none for a CPU.
        execution: How the detector computes.
        deterministic: Refuse faster algorithms whose results differ from run to run.
        accelerator: Kind of device.
        devices: Number of devices.
        num_nodes: Number of machines.
        launcher: Command that starts one process per device, such as
            `torchrun --standalone --nproc-per-node=4`; None: train in this process.
    """

    seed: int = Field(default=0, ge=0, lt=2**32)
    max_steps: int = Field(default=400_000, ge=1, lt=2**53)
    lanes: int = Field(default=12, ge=1)
    clip_length: int = Field(default=5, ge=1)
    sampling: SamplingSettings = SamplingSettings()
    stream_augmentation: AugmentationSettings = AugmentationSettings(
        zoom_probability=0.5, zoom_in_share=0.0
    )
    random_augmentation: AugmentationSettings = AugmentationSettings()
    resolution: ResolutionSettings = ResolutionSettings()
    optimizer: OptimizerConfig = Field(default_factory=adamw.Config)
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    start_from: str | None = None
    freeze: tuple[str, ...] = ()
    validation: ValidationSettings = ValidationSettings()
    checkpoint_every_steps: int = Field(default=1000, ge=1)
    log_every_steps: int = Field(default=10, ge=1)
    precision: Precision = "auto"
    workers: Workers = "auto"
    execution: Execution = Execution()
    deterministic: bool = True
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = Field(default=1, ge=1)
    num_nodes: int = Field(default=1, ge=1)
    launcher: str | None = None

    def outcome(self) -> dict[str, object]:
        """The settings that decide what is learnt, without those that say where and how fast."""
        return self.model_dump(mode="json", exclude=set(_EXECUTION), serialize_as_any=True)

    @model_validator(mode="after")
    def _check_launcher(self) -> "TrainSettings":
        if self.devices * self.num_nodes > 1 and not self.launcher:
            raise ValueError(
                f"{self.devices * self.num_nodes} devices need a launcher, such as "
                f"'torchrun --standalone --nproc-per-node={self.devices}'"
            )
        return self
