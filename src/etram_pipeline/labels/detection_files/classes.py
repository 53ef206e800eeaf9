"""Class ids of other programs, translated to those of the dataset."""

import logging
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.counts import counted_of
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.detection_files.known import FoundDetections
from etram_pipeline.labels.detections import DetectionTable

logger = logging.getLogger(__name__)


def in_classes_of(
    found: FoundDetections, dataset: DatasetSettings, where: str
) -> dict[str, DetectionTable]:
    """The tables with the class ids of the dataset.

    Names are compared without regard to case. A class that belongs to a group of the dataset
    becomes the group. Detections of classes that the dataset does not have are left out, with a
    warning.

    Raises:
        LabelError: If ids or names do not fit the dataset.
    """
    ids = _ids_of(found.tables.values())
    if found.names is None:
        _check_positions(ids, dataset, where)
        return dict(found.tables)
    unnamed = sorted(set(ids) - set(found.names))
    if unnamed:
        raise LabelError(
            f"{where} has detections of the class ids {_numbers(unnamed)}, but the classes are "
            f"{_named(found.names)}: they may count from another first number; correct the "
            "ids or the classes"
        )
    meant = {number: _class_id(name, dataset) for number, name in found.names.items()}
    _check_names(found.names, meant, dataset, where)
    renumbered = {key: _renumbered(table, meant) for key, table in found.tables.items()}
    _tell_dropped(found, renumbered, meant, where)
    return renumbered


def _ids_of(tables: Iterable[DetectionTable]) -> list[int]:
    found = [np.unique(table["class_id"]) for table in tables]
    return [int(each) for each in np.unique(np.concatenate(found))] if found else []


def _check_positions(ids: list[int], dataset: DatasetSettings, where: str) -> None:
    names = dataset.detected_classes
    if not ids or ids[-1] < len(names):
        return
    from_one = ids[0] == 1 and ids[-1] == len(names)
    cause = ": they seem to count from 1; subtract 1" if from_one else ""
    if dataset.class_groups and ids[-1] < len(dataset.class_names):
        cause = (
            ": they seem to be those of the classes before grouping; evaluate with a preset "
            "without `class_groups`"
        )
    raise LabelError(
        f"{where} has the class ids {_numbers(ids)}, but the {len(names)} classes of `dataset` "
        f"({', '.join(names)}) have the ids 0 to {len(names) - 1}{cause}"
    )


def _class_id(name: str, dataset: DatasetSettings) -> int | None:
    """Id of a class by its name; None if the dataset does not have it."""
    groups = dataset.class_groups.items()
    wanted = {member.casefold(): group for group, names in groups for member in names}
    wanted |= {each.casefold(): each for each in dataset.detected_classes}
    found = wanted.get(name.strip().casefold())
    return None if found is None else dataset.detected_classes.index(found)


def _check_names(
    names: Mapping[int, str],
    meant: Mapping[int, int | None],
    dataset: DatasetSettings,
    where: str,
) -> None:
    wanted = dataset.detected_classes
    found = {number for number in meant.values() if number is not None}
    if not found:
        raise LabelError(
            f"{where} has the classes {', '.join(names.values())}, and `dataset` has "
            f"{', '.join(wanted)}, but none has the same name: use the names of `dataset`"
        )
    lacking = [name for number, name in enumerate(wanted) if number not in found]
    if lacking:
        logger.warning(
            "%s has no class %s: all labels of it count as missed", where, ", ".join(lacking)
        )


def _renumbered(table: DetectionTable, meant: Mapping[int, int | None]) -> DetectionTable:
    found, place = np.unique(table["class_id"], return_inverse=True)
    new = [meant[int(number)] for number in found]
    ids: Int64[np.ndarray, " N"] = np.array([-1 if i is None else i for i in new], np.int64)[place]
    kept = table[ids >= 0]
    kept["class_id"] = ids[ids >= 0]
    return kept


def _tell_dropped(
    found: FoundDetections,
    renumbered: Mapping[str, DetectionTable],
    meant: Mapping[int, int | None],
    where: str,
) -> None:
    before, after = (sum(map(len, tables.values())) for tables in (found.tables, renumbered))
    if before > after and found.names is not None:
        others = [found.names[number] for number, class_id in meant.items() if class_id is None]
        shown = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")  # noqa: PLR2004
        logger.warning(
            "%s: %s are of classes that `dataset` does not have (%s), and are left out",
            where,
            counted_of(before - after, before, "detection"),
            shown,
        )


def _numbers(ids: list[int]) -> str:
    if len(ids) > 3 and ids[-1] - ids[0] == len(ids) - 1:  # noqa: PLR2004
        return f"{ids[0]} to {ids[-1]}"
    return ", ".join(map(str, ids[:5])) + (" …" if len(ids) > 5 else "")  # noqa: PLR2004


def _named(names: Mapping[int, str]) -> str:
    shown = [f"{number} {name}" for number, name in list(names.items())[:8]]
    return ", ".join(shown) + (" …" if len(names) > len(shown) else "")
