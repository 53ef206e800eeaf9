"""What the detector of a trial costs, measured before it is trained.

`python -m etram_pipeline.experiments.trials.cost JOB` measures what the JSON text JOB describes, in
a process of its own, and writes the result to the file that it names.
"""

import sys
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole

if TYPE_CHECKING:
    from jaxtyping import Shaped
    from torch import Tensor

    from etram_pipeline.inference.settings import PredictSettings
    from etram_pipeline.models.detector import Detector

WARM_UP, WINDOWS = 5, 40
"""Windows that do not count, while caches fill, and windows that do."""

_REPRESENTATIONS = "histograms"
_SPLIT = "val"


class Cost(Settings):
    """What a detector costs on the machine that measured it.

    Attributes:
        parameters: Its weights.
        ms_per_window: Median of the processor time for one window, in milliseconds.
        quartiles_ms: Half of the windows took a time between these.
    """

    parameters: int
    ms_per_window: float
    quartiles_ms: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.quartiles_ms
        return f"{self.ms_per_window:.1f} ms per window ({low:.1f} to {high:.1f})"


class Measurement(Settings):
    """What was found out about the detector of a trial.

    Attributes:
        cost: What it costs; None: it cannot be made.
        refusal: Why not.
    """

    cost: Cost | None = None
    refusal: str = ""


class Job(Settings):
    """A measurement, as plain data.

    Attributes:
        project: Folder of the project.
        env: Environment of the trial.
        params: Its parameters by dotted key.
        result: File for the `Measurement`.
    """

    project: Path
    env: str | None
    params: dict[str, Any]
    result: Path

    @property
    def command(self) -> list[str]:
        """The command of the process that measures."""
        module = "etram_pipeline.experiments.trials.cost"
        return [sys.executable, "-m", module, self.model_dump_json()]


def measure(job: Job) -> Measurement:
    """Build the detector with random weights, and time it in windows of a prepared recording.

    One thread computes in the arithmetic of `predict.precision` on a CPU. A network that has learnt
    takes about as long, as only the selection of its boxes depends on what it finds.

    Args:
        job: What to measure; its data must be prepared.

    Raises:
        StoreError: If no prepared recording is long enough, or its file is damaged.
    """
    from etram_pipeline.core.dataset import DatasetSettings
    from etram_pipeline.experiments.project import Project, bootstrap
    from etram_pipeline.experiments.validation import nested
    from etram_pipeline.inference.settings import PredictSettings
    from etram_pipeline.models.classes import TrainingClasses
    from etram_pipeline.models.detectors import DetectorConfig
    from etram_pipeline.parameter_types import parameter_faults

    bootstrap(job.project)
    loader = Project(job.project).loader(job.env, nested(job.params))
    raw = loader["parameters"]
    if faults := parameter_faults(raw):
        return Measurement(refusal="; ".join(faults))
    names = DatasetSettings.model_validate(raw["dataset"]).detected_classes
    windows = _windows(loader["catalog"][_REPRESENTATIONS])
    predict = PredictSettings.model_validate(raw["predict"])
    try:
        config = DetectorConfig.model_validate(raw["detector"])
        config = config.for_classes(TrainingClasses(names, (1,) * len(names)))
        detector = config.build(windows.shape[1], len(names))
        return Measurement(cost=_cost(detector, windows, predict))
    except ValueError as error:
        return Measurement(refusal=str(error))


def _windows(entry: dict[str, Any]) -> "Shaped[Tensor, 'T C H W']":
    """The first windows of a recording that trainings validate on, or else of any."""
    import torch
    from kedro.io import AbstractDataset

    from etram_pipeline.core.recording_key import in_splits

    number = WARM_UP + WINDOWS
    store = AbstractDataset.from_config(_REPRESENTATIONS, entry).load()
    long_enough = [key for key in store if store[key].num_windows >= number]
    if not long_enough:
        raise StoreError(
            f"{store.root}: no recording has the {number} windows that are timed: prepare a longer "
            "one"
        )
    key = [*in_splits(long_enough, {_SPLIT}), *long_enough][0]
    return torch.from_numpy(store[key].read(0, number))


def _cost(
    detector: "Detector", windows: "Shaped[Tensor, 'T C H W']", predict: "PredictSettings"
) -> Cost:
    """Cost of a detector; all of PyTorch in this process uses one thread."""
    import torch

    from etram_pipeline.inference.window_time import seconds_of_windows
    from etram_pipeline.models.hardware import resolve_precision

    torch.set_num_threads(1)
    precision = resolve_precision(predict.precision, on_gpu=False)
    seconds = seconds_of_windows(detector.eval(), windows, precision)[WARM_UP:]
    low, median, high = quantiles([1e3 * each for each in seconds], n=4, method="inclusive")
    return Cost(
        parameters=sum(weights.numel() for weights in detector.parameters()),
        ms_per_window=median,
        quartiles_ms=(low, high),
    )


def main(text: str) -> None:
    """Measure what a text describes, and write the result to the file that it names."""
    job = Job.model_validate_json(text)
    with written_whole(job.result) as partial:
        partial.write_text(measure(job).model_dump_json())


if __name__ == "__main__":
    main(sys.argv[1])
