"""Teachers that know nothing, for detectors that cannot train without one."""

from pathlib import Path

from etram_pipeline.models.auxiliaries import distillation, none
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig


def with_untrained_teacher(
    config: DetectorConfig, channels: int, class_names: tuple[str, ...], folder: Path
) -> DetectorConfig:
    """The same detector, with a teacher of its own kind if it is to learn from one."""
    task = getattr(config, "auxiliary", None)
    if not isinstance(task, distillation.Config):
        return config
    teacher = config.model_copy(update={"auxiliary": none.Config()})
    made = teacher.build(channels, len(class_names))
    path = folder / "teacher.ckpt"
    write_checkpoint(path, Checkpoint(made, teacher, channels, class_names))
    taught = task.model_copy(update={"teacher": str(path)})
    return config.model_copy(update={"auxiliary": taught})
