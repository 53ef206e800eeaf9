"""Checks that parameters agree with stored data, and that a node reads them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kedro.framework.project import pipelines
from pydantic import ValidationError

from etram_pipeline.configuration import RUN_OPTIONS
from etram_pipeline.core.component import Settings, nearest
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.fingerprint import plain
from etram_pipeline.core.mappings import flatten
from etram_pipeline.datasets.files import ReadsAnother, path_of
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.detection_files.tables import INDEX
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.preflight.run import Notice, Run
from etram_pipeline.stores.settings import StorageSettings

_BLOCKS: Mapping[str, Mapping[str, Callable[[Any], Settings]]] = {
    "labelled_frames": {
        "dataset": DatasetSettings.model_validate,
        "labels": LabelSettings.model_validate,
    },
    "histograms": {
        "windows": WindowConfig.model_validate,
        "representation": RepresentationConfig.model_validate,
        "storage": StorageSettings.model_validate,
    },
}
"""Parameters that decide what is stored."""

_READERS = {
    "checkpoint": ("checkpoint", "training_history"),
    "preprocessed": ("labelled_frames", "histograms"),
    "detections": ("detections",),
    "detections_images": ("detections",),
    "site": ("site",),
    "recording": ("recordings", "label_files", "detections", "tracks"),
}
"""Datasets whose content or place depends on an option of a run."""

_LONGEST_VALUE = 80
_ABSENT = object()

_WITHOUT_EFFECT = ("storage", "dataset.label_set", "dataset.height", "dataset.width")
"""Parameters that change no result, or only that of recordings without these details."""


def check(run: Run) -> Iterator[Notice]:
    """Parameters that have no effect on this run, and results that are out of date."""
    for name in _BLOCKS:
        if name in run.needs:
            yield from _contradictions(run, name)
    yield from _unknown(run)
    yield from _detector(run)
    yield from _unread(run)
    yield from _misspelt(run)
    yield from _outdated(run)


def _contradictions(run: Run, name: str) -> Iterator[Notice]:
    """Settings of this run that differ from those that a store was made with."""
    store = run.histograms if name == "histograms" else run.labelled_frames
    made = store.made_with if store else {}
    asked, given = flatten(run.asked), flatten(run.given)
    others = []
    for block in sorted(_BLOCKS[name].keys() & made.keys()):
        validate = _BLOCKS[name][block]
        settings = run.parameter(block, validate)
        then, now = flatten({block: made[block]}), flatten(plain({block: settings}))
        then |= _left_out(_validated(validate, made[block]), now.keys() - then.keys())
        now |= _left_out(settings, then.keys() - now.keys())
        for key in then.keys() & now.keys():
            if then[key] == now[key] or key.startswith("dataset.class_"):  # compared in `classes`
                continue
            if _names(given, key) or (_names(asked, key) and not key.startswith(_WITHOUT_EFFECT)):
                keep = "drop the parameter"
                if not _names(given, key) and not isinstance(then[key], list):
                    # An environment or a preset names it, which a run may not want to drop.
                    keep = f"use them as they are with `--params {key}={_yaml(then[key])}`"
                yield Notice(
                    f"{key} is {_brief(now[key])}, but the stored {_words(name)} were made with "
                    f"{_brief(then[key])}: add `preprocess` to --pipelines, or {keep}"
                )
            elif not key.startswith(_WITHOUT_EFFECT):
                others.append(f"{key} {_brief(then[key])} -> {_brief(now[key])}")
    if others:
        yield _warning(
            f"the stored {_words(name)} were made with other parameters than `conf` has now "
            f"({', '.join(sorted(others)[:3])}), and are used as they are: add `preprocess` to "
            "--pipelines to make them anew"
        )


def _left_out(settings: Settings | None, keys: Iterable[str]) -> dict[str, Any]:
    """Those of some keys that settings have, but leave out where they are written."""
    found: dict[str, Any] = {}
    for key in keys:
        value: object = settings
        for name in key.split(".")[1:]:
            value = getattr(value, name, _ABSENT) if isinstance(value, Settings) else _ABSENT
        if value is not _ABSENT:
            found |= plain({key: value})
    return found


def _validated(validate: Callable[[Any], Settings], stored: object) -> Settings | None:
    try:
        return validate(stored)
    except ValidationError:  # of a former version
        return None


def _unknown(run: Run) -> Iterator[Notice]:
    """Recordings preprocessed elsewhere, whose files do not state how they were made."""
    store = run.histograms
    if not store or store.made_with:
        return
    dataset = run.parameter("dataset", DatasetSettings.model_validate)
    key = next(iter(store))
    frame = store[key]
    by = frame.downsampled_by
    if (frame.height, frame.width) != (dataset.height // by, dataset.width // by):
        yield Notice(
            f"{store.root} holds frames of {frame.height} x {frame.width} px ({key}), made from a "
            f"sensor of about {by * frame.height} x {by * frame.width} px, but "
            f"`dataset` has {dataset.height} x {dataset.width} px (height x width): use the "
            "environment of that data set, or set dataset.height and dataset.width"
        )
        return
    names = ", ".join(dataset.detected_classes)
    yield _warning(
        f"{store.root} does not state how it was made: windows, representation "
        f"({store.representation_name}) and label filters cannot be checked, and the class ids are "
        f"taken for {names}"
    )


def _detector(run: Run) -> Iterator[Notice]:
    """Parameters of a detector that a run with a trained one does not build."""
    trained = run.trained
    if trained is None or trained.config is None:
        return
    given = flatten({"detector": run.given["detector"]}) if "detector" in run.given else {}
    made = flatten(plain({"detector": trained.config}))
    if "preset" in run.given:
        # A preset may be named for its classes as well, so this is no fault.
        asked = flatten({"detector": run.asked.get("detector", {})})
        others = [key for key in asked if key in made and made[key] != asked[key]]
        if changes := [f"{key} {_yaml(asked[key])}, not {_yaml(made[key])}" for key in others[:3]]:
            yield _warning(
                f"environment and preset name another detector than {trained.path} has "
                f"({'; '.join(changes)}), which is used as it is: add `train` to --pipelines to "
                "train theirs"
            )
    for key, value in given.items():
        if key in made and made[key] != value:
            yield Notice(
                f"{key} is {_yaml(value)}, but {trained.path} has a detector "
                f"with {_yaml(made[key])}: add `train` to --pipelines, or drop the parameter"
            )


def _unread(run: Run) -> Iterator[Notice]:
    """Parameters of the command line that no node reads."""
    compared = {block for name, blocks in _BLOCKS.items() if name in run.needs for block in blocks}
    compared |= {"detector"} if run.trained is not None else set()
    blocks = {
        key
        for key in run.given
        if key not in RUN_OPTIONS and f"params:{key}" not in run.reads and key not in compared
    }
    names = [key for key in flatten(run.given) if key.split(".")[0] in blocks]
    for option, datasets in _READERS.items():
        if option in run.given and not (run.reads | run.makes).intersection(datasets):
            names.append(option)
    if "executor" in run.given and not any(
        hasattr(run.dataset(name), "executor") for name in run.makes
    ):
        names.append("executor")
    if names:
        verb = "is" if len(names) == 1 else "are"
        yield _warning(f"{', '.join(names)} {verb} read by no node of this run, and without effect")


def _misspelt(run: Run) -> Iterator[Notice]:
    """Catalog entries that no pipeline uses, but whose names are close to one that is used."""
    known = {name for part in pipelines.values() for name in part.datasets()}
    for name in run.catalog.keys():  # noqa: SIM118  # a catalog is no mapping
        close = None if name in known or ":" in name else nearest(name, known)
        if close and name != "parameters":
            yield _warning(
                f"no pipeline has the dataset '{name}' of the catalog; did you mean '{close}'?"
            )


def _outdated(run: Run) -> Iterator[Notice]:
    """Results that are older than their inputs."""
    for name, source, remedy in (
        ("detections", "checkpoint", "predict"),
        ("tracks", "detections", "track"),
        ("metrics", "detections", "evaluate"),
    ):
        made, of = (_time(run, each) for each in (name, source))
        if name in run.needs and source not in run.makes and made is not None and of and made < of:
            yield _warning(
                f"the {name} are older than the {source}, and were made from another version: add "
                f"`{remedy}` to --pipelines to make them anew"
            )


def _time(run: Run, name: str) -> float | None:
    """When a dataset was last written; None if it does not exist or is not of this project."""
    dataset = run.dataset(name)
    if isinstance(dataset, ReadsAnother) and dataset.reads_another:
        return None
    path = path_of(dataset)
    file = path / INDEX if path is not None and name in {"detections", "tracks"} else path
    return file.stat().st_mtime if file is not None and file.is_file() else None


def _names(flat: Mapping[str, Any], key: str) -> bool:
    """Whether parameters name a key, one above it, or one below it."""
    return any(
        key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in flat
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _yaml(value: object) -> str:
    return "null" if value is None else str(value)


def _brief(value: object) -> str:
    """A value as a message quotes it; lists of filters would be longer than the message."""
    text = _yaml(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _warning(message: str) -> Notice:
    return Notice(message, is_fault=False)
