"""Checks that every node has recordings to work on."""

from collections import Counter
from collections.abc import Iterator, Mapping

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.export.settings import ExportSettings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.pipelines.evaluate.nodes import find_missing
from etram_pipeline.preflight.run import Notice, Run, of_splits, some
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.run_locks import read_path


def check(run: Run) -> Iterator[Notice]:
    """Splits and recordings that settings name but that do not exist."""
    yield from _train(run)
    yield from _predict(run)
    yield from _evaluate(run)
    yield from _export(run)
    yield from _report(run)


def _train(run: Run) -> Iterator[Notice]:
    if "checkpoint" not in run.makes or run.encoded is None or run.labelled is None:
        return
    learnt = run.encoded & run.labelled
    if not of_splits(learnt, ("train",)):
        yield Notice(
            f"there is nothing to train on: {_found(run, ('train',), labelled=True)}; put "
            "recordings and their label files into `train`, or name pipelines without `train`"
        )
        return
    everything = run.encoded if run.recordings is None else frozenset(run.recordings)
    unlabelled = of_splits(everything, ("train",)) - learnt
    if unlabelled:
        yield _warning(
            f"{len(unlabelled)} of {len(of_splits(everything, ('train',)))} recordings of `train` "
            f"have no label file ({some(unlabelled)}) and are not learnt from"
        )
    if not of_splits(learnt, ("val",)):
        yield _warning(
            "there are no labelled recordings of `val`: the detector is not scored while it "
            "trains, and its last weights are taken for the best"
        )


def _predict(run: Run) -> Iterator[Notice]:
    if "detections" not in run.makes or run.encoded is None:
        return
    splits = run.parameter("predict", PredictSettings.model_validate).splits
    lacking = [split for split in splits if not of_splits(run.encoded, (split,))]
    if len(lacking) == len(splits):
        yield Notice(
            f"there is nothing to detect in: predict.splits is {', '.join(splits)}, but "
            f"{_found(run, splits)}; put recordings into {' or '.join(splits)}, change "
            "predict.splits, or name pipelines without `predict`"
        )
    elif lacking:
        yield _warning(
            f"predict.splits names {', '.join(lacking)}, but {_found(run, tuple(lacking))}"
        )


def _evaluate(run: Run) -> Iterator[Notice]:
    if not run.is_scored or run.labelled is None:
        return
    split = run.parameter("evaluate", EvaluateSettings.model_validate).split
    scored = of_splits(run.labelled, (split,))
    if not scored:
        yield Notice(
            f"there is nothing to evaluate on: evaluate.split is {split}, but "
            f"{_found(run, (split,), labelled=True)}; add labels, change evaluate.split, or name "
            "pipelines without `evaluate`"
        )
    elif run.detected is not None and (run.detected or "detections" not in run.makes):
        origin = None if run.detections is None else run.detections.origin
        missing = find_missing(scored, run.detected, split, origin)
        if missing:
            yield Notice(missing)


def _export(run: Run) -> Iterator[Notice]:
    if "exported_dataset" not in run.makes or run.encoded is None or run.labelled is None:
        return
    splits = run.parameter("export", ExportSettings.model_validate).splits
    if not of_splits(run.encoded & run.labelled, splits):
        yield Notice(
            f"there is nothing to export: export.splits is {', '.join(splits)}, but "
            f"{_found(run, splits, labelled=True)}; add some, or change export.splits"
        )


def _report(run: Run) -> Iterator[Notice]:
    if "annotated_video" in run.makes and run.detected:
        wanted = run.parameter("report", ReportSettings.model_validate).video_recording
        if wanted is not None and wanted not in run.detected:
            yield Notice(
                f"report.video_recording is {wanted!r}, but detections are of "
                f"{some(run.detected)}: name one of these, or null for the one with most labels"
            )
    if "params:report" in run.reads and "metrics" in run.reads:
        yield from _headline(run)


def _headline(run: Run) -> Iterator[Notice]:
    headline = run.parameter("report", ReportSettings.model_validate).headline
    if "metrics" in run.makes:
        names = [
            each.name
            for each in run.parameter("evaluate", EvaluateSettings.model_validate).protocols
        ]
    else:
        names = list(run.stored("metrics", dict) or {})
    if headline is not None and names and headline not in names:
        yield Notice(
            f"report.headline is {headline!r}, but metrics are of {', '.join(names)}: name one of "
            "these, or null for the first"
        )


def _found(run: Run, splits: tuple[str, ...], *, labelled: bool = False) -> str:
    """What there is instead of labelled or encoded recordings of some splits."""
    raw = run.recordings or {}
    of_wanted = of_splits(frozenset(raw), splits)
    if of_wanted and (labelled or run.windows_need_labels):
        cause = (
            ""
            if labelled
            else ", and windows.kind=label_aligned cuts windows at labels: set windows.kind=regular"
        )
        num = len(of_wanted)
        have = "recording there has" if num == 1 else f"{num} recordings there have"
        return f"the {have} no label file{cause}"
    what = "labelled recordings" if labelled else "recordings"
    known = run.labelled if labelled else run.encoded
    others = Counter(RecordingKey.parse(key).split for key in (known or ()))
    where = read_path(run.dataset("recordings" if raw else "histograms"))
    return f"{where} has {_counted(others, what)}"


def _counted(num_of_split: Mapping[str, int], what: str) -> str:
    found = [f"{num_of_split[split]} of `{split}`" for split in SPLITS if num_of_split.get(split)]
    return f"{what}: {', '.join(found)}" if found else f"no {what}"


def _warning(message: str) -> Notice:
    return Notice(message, is_fault=False)
