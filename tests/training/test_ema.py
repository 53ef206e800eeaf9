"""The running average of the weights."""

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn

from etram_pipeline.training.ema import WeightAverage


class Tied(LightningModule):
    """A module with one weight under two names, as language models and DETRs have them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = self.first


def test_a_weight_with_two_names_is_learning_again_after_a_validation() -> None:
    module, average = Tied(), WeightAverage(0.9)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    average.on_train_start(trainer, module)
    start = module.first.weight.detach().clone()
    with torch.no_grad():
        module.first.weight.add_(1)
    learning = module.first.weight.detach().clone()
    average.on_validation_start(trainer, module)
    assert torch.equal(module.second.weight, start)
    average.on_validation_end(trainer, module)
    assert torch.equal(module.second.weight, learning)
