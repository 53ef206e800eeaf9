"""Classes of the tables, which may gather several classes of the tracks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import SettingsError

ALL = "all"
"""What tables call all classes together, where the classes do not add up."""

RESERVED = (
    *(ALL, "total", "from", "to"),
    *("recording", "bin_min", "bin_start_s", "clock", "observed_s"),
)
"""Columns of tables that have one column per class, and `ALL`."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "pedestrians and wheelchairs": ("pedestrian", "wheelchair"),
    "bicycles": ("bicycle",),
    "motorcycles": ("motorbike",),
    "cars and light vehicles": ("car",),
    "buses": ("bus",),
    "trucks": ("truck",),
    "trams": ("tram",),
}
"""Road-user groups that eTraM's classes fill.

Motorcycles, cars with light vehicles, and buses are categories 1, 2 with 3, and 4 of FHWA; trucks
are 5 to 13, which differ by their axles and are not told apart. Vans are among the cars.

Source: FHWA, "Traffic Monitoring Guide", appendix C.
"""


@dataclass(frozen=True, eq=False)
class CountedClasses:
    """Classes of the tables.

    Attributes:
        names: Their names in order.
        of_class: Position among `names` by class id of the tracks.
    """

    names: tuple[str, ...]
    of_class: Int64[np.ndarray, " C"]


def counted_classes(
    classes: str | Mapping[str, tuple[str, ...]], class_names: tuple[str, ...]
) -> CountedClasses:
    """Classes of the tables by `CountSettings.classes`.

    Args:
        classes: `each`, `groups` or a mapping; a name with an empty list gathers what is left.
        class_names: Classes of the tracks in order of their ids.

    Raises:
        SettingsError: If a group gathers an unknown class, no group gathers one that there is, or a
            name is among `RESERVED`.
    """
    if classes == "each":
        return _checked(CountedClasses(class_names, np.arange(len(class_names))))
    groups = _known_groups(class_names) if isinstance(classes, str) else classes
    gathered = {name: group for group, names in groups.items() for name in names}
    for name in gathered:
        if name not in class_names:
            raise SettingsError(f"count.classes: {unknown_name('class', name, class_names)}")
    rest = next((group for group, names in groups.items() if not names), None)
    left = [name for name in class_names if name not in gathered]
    if left and rest is None:
        raise SettingsError(
            f"count.classes: no group gathers {', '.join(left)}, whose road users would be missing "
            "from the counts; add them to a group, or add `others: []`, which gathers all that "
            "are left"
        )
    names = tuple(groups)
    positions = [names.index(gathered.get(name) or str(rest)) for name in class_names]
    return _checked(CountedClasses(names, np.array(positions, np.int64)))


def _known_groups(class_names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The groups of which there are classes, each with those there are."""
    known = {
        group: tuple(name for name in names if name in class_names)
        for group, names in GROUPS.items()
    }
    return {group: names for group, names in known.items() if names}


def _checked(classes: CountedClasses) -> CountedClasses:
    reserved = [name for name in classes.names if name in RESERVED]
    if reserved:
        raise SettingsError(
            f"count.classes: {reserved[0]!r} is the name of a column of the tables; give this "
            "class another name by a mapping such as {my name: [its class], others: []}"
        )
    return classes
