"""What a launch has to do for one experiment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.locks import Access
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.project import FOLDER, Project
from etram_pipeline.experiments.registry import DATA, ExperimentRun, Registry
from etram_pipeline.experiments.validation import PREPARED_PARAMETERS, nested
from etram_pipeline.yaml_files import ConfigurationError


@dataclass(frozen=True)
class Data:
    """Prepared data, as an experiment needs it.

    Attributes:
        folder: Its folder.
        made_with: Fingerprint of the parameters that decide its content.
    """

    folder: Path
    made_with: str

    @property
    def tag(self) -> str:
        """Both as one text."""
        return f"{self.made_with} {self.folder}"

    def contradicts(self, tag: str) -> bool:
        """Whether a run needs other data in the same folder."""
        made_with, _, folder = tag.partition(" ")
        return folder == str(self.folder) and made_with != self.made_with


@dataclass(frozen=True)
class Work:
    """Runs of one experiment that are still to be done.

    Attributes:
        project: The project.
        name: Name of the experiment.
        experiment: What to run.
        data: Data that the runs read.
        seeds: Seed of each run.
        known: Runs by seed that were begun before, and that continue.
        is_prepared: Whether the data need not be made, because a run that has not ended uses it.
    """

    project: Project
    name: str
    experiment: Experiment
    data: Data
    seeds: tuple[int, ...]
    known: Mapping[int, ExperimentRun]
    is_prepared: bool = False

    @property
    def folder(self) -> Path:
        """Folder of everything that belongs to the experiment."""
        return self.project.folder(self.name, self.experiment.env)

    def results(self, seed: int) -> Path:
        """Folder of the run's detector, detections and report."""
        if seed in self.known:
            return self.known[seed].results
        return self.folder / f"seed_{seed}"

    def label(self, seed: int) -> str:
        """Name of a run for the user."""
        return f"{self.name} seed={seed}"

    def schedule(self, registry: Registry, seed: int, tags: Mapping[str, str]) -> ExperimentRun:
        """The run in MLflow, as scheduled; one that was begun before continues."""
        run = self.known.get(seed)
        if run is None:
            run = registry.schedule(self.name, self.experiment, seed, self.results(seed))
        registry.tag(run.run_id, {**tags, DATA: self.data.tag})
        if run.status != "SCHEDULED":
            registry.set_status(run.run_id, "SCHEDULED")
        return run


def data_of(project: Project, experiment: Experiment) -> Data:
    """The data that an experiment needs."""
    loader = project.loader(experiment.env, nested(experiment.parameters))
    parameters = loader["parameters"]
    folder = project.path / Path(loader["globals"]["data"]).expanduser()
    content = {name: parameters[name] for name in PREPARED_PARAMETERS}
    return Data(folder.resolve(), fingerprint([experiment.env, content]))


def to_prepare(stage: Iterable[Work]) -> list[Work]:
    """One experiment for each data folder that is to be made."""
    missing: dict[str, Work] = {}
    for each in stage:
        if not each.is_prepared:
            missing.setdefault(each.data.tag, each)
    return list(missing.values())


def preparation_lock(work: Work) -> Access:
    """Held while a launch prepares the data."""
    return Access(work.data.folder / FOLDER / "preparation")


def in_stages(work: Iterable[Work]) -> list[list[Work]]:
    """Work that may run side by side, in the order given.

    Work that needs other data in the same folder begins a stage, because its data replace the data
    of the work before it.
    """
    stages: list[list[Work]] = []
    for each in work:
        others = stages[-1] if stages else []
        if not stages or any(each.data.contradicts(other.data.tag) for other in others):
            stages.append([])
        stages[-1].append(each)
    return stages


def refuse_several_stages(stages: Sequence[Sequence[Work]], how: str) -> None:
    """Refuse work that cannot run side by side.

    Args:
        stages: The work.
        how: What lets it run side by side, for the message.

    Raises:
        ConfigurationError: If there is more than one stage.
    """
    if len(stages) > 1:
        other = stages[1][0]
        first = next(each for each in stages[0] if other.data.contradicts(each.data.tag))
        raise ConfigurationError(
            f"{first.name} and {other.name} prepare different data in {other.data.folder}, so they "
            f"cannot run side by side: launch them one after the other without {how}, or give one "
            "of them a folder of its own by `data` in its `params`"
        )
