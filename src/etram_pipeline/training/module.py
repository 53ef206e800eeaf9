"""The Lightning module that trains every detector."""

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from typing_extensions import override

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.models.checkpoint import PAYLOAD_KEY
from etram_pipeline.models.detector import Detector, State, total_loss
from etram_pipeline.models.validated import payload_of_validation
from etram_pipeline.training.memory import LaneMemory, Size
from etram_pipeline.training.optimizer import build_optimizer, freeze, hold_statistics
from etram_pipeline.training.parameter_groups import learning_rates
from etram_pipeline.training.resolution import MixedResolution
from etram_pipeline.training.scoring import ValidationScore
from etram_pipeline.training.settings import TrainSettings


class DetectionModule(LightningModule):
    """Carries the state of each lane from batch to batch, separately for training and validation.

    Attributes:
        score: Collects the detections of a validation.
        memory: Recurrent state of each training lane.
    """

    def __init__(
        self,
        detector: Detector,
        settings: TrainSettings,
        score: ValidationScore,
        about: Mapping[str, object],
    ) -> None:
        """Train `detector`; `about` describes it in each checkpoint."""
        super().__init__()
        self.detector = detector
        self._settings = settings
        self.score = score
        self._about = about
        self.memory = LaneMemory()
        self._validation_state: State = ()
        self._validation_size: Size = (0, 0)
        self._validated_step: int | None = None
        self._resize = MixedResolution(settings.resolution, detector, settings.seed)
        freeze(detector, settings.freeze)

    @override
    def training_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Any]:
        """Advance every lane by one clip.

        Returns:
            The loss, the metrics to record, and the learning rates.
        """
        number = self.trainer.fit_loop.total_batch_idx
        size = _size(batch)
        before, last = self.memory.before(size, number)
        batch, before = self._resize(batch, before, number, last)
        losses, state = self.detector.losses(batch, before)
        self.memory.keep(size, number, state)
        total = total_loss(losses)
        metrics = {name: value.detach() for name, value in {"loss": total, **losses}.items()}
        rates = learning_rates(self.trainer.optimizers[0])
        return {"loss": total, "metrics": metrics, "rates": rates}

    @override
    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        suppression = self._settings.validation.suppression
        if _size(batch) != self._validation_size:  # the lanes of another frame size start empty
            self._validation_state, self._validation_size = (), _size(batch)
        detections, self._validation_state = self.detector.detect(
            batch, self._validation_state, suppression
        )
        self.score.add(batch, detections)

    @override
    def on_validation_epoch_start(self) -> None:
        self._validation_state = ()

    @override
    def on_validation_epoch_end(self) -> None:
        self._validation_state = ()
        metrics = self.score.compute()
        self._validated_step = self.trainer.global_step
        self.log_dict({name: torch.tensor(value) for name, value in metrics.items()})

    @override
    def on_train_epoch_start(self) -> None:
        hold_statistics(self.detector, self._settings.freeze)

    @override
    def on_validation_model_train(self) -> None:
        super().on_validation_model_train()
        hold_statistics(self.detector, self._settings.freeze)

    @override
    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer, schedule = build_optimizer(
            self.detector, self._settings.optimizer, self._settings.max_steps
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        payload = dict(self._about)
        if self._validated_step == self.trainer.global_step:
            payload |= payload_of_validation(self.score.operating_scores, self.score.calibration)
        checkpoint[PAYLOAD_KEY] = payload


def _size(batch: SequenceBatch) -> Size:
    return batch.frames.shape[-2], batch.frames.shape[-1]
