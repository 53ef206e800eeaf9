"""Parts of a family that other installed packages offer, found by their entry points.

A package that adds a detector declares in its pyproject.toml:

    [project.entry-points."etram_pipeline.detectors"]
    frame_cnn = "our_detectors:Config"

The part is then chosen like any other, by `kind: frame_cnn`. Entry points are looked up only for
kinds that the project does not have itself, because reading those of all installed packages takes
longer than reading a configuration file.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


@dataclass(frozen=True)
class Offer:
    """A part that an installed package offers.

    Attributes:
        kind: Name of the part.
        value: Where its class is, such as `our_detectors:Config`.
        package: Name and version of the package.
    """

    kind: str
    value: str
    package: str


def group_of(package: str) -> str:
    """Group of entry points for the family of a package, such as `etram_pipeline.detectors`."""
    project, *_, family = package.split(".")
    return f"{project}.{family}"


def offered_kinds(package: str) -> list[str]:
    """Names of the parts that installed packages add to a family, sorted."""
    return sorted({offer.kind for offer in _offers(group_of(package))})


def load_plugin(package: str, kind: str, family: type) -> type:
    """The class that an installed package offers as a part of a family.

    Args:
        package: Package of the family.
        kind: Name of the part.
        family: Class that the part must be derived from.

    Raises:
        ValueError: If several packages offer this part, or if it cannot be used.
    """
    first, *others = [offer for offer in _offers(group_of(package)) if offer.kind == kind]
    if others:
        packages = " and ".join(sorted(offer.package for offer in (first, *others)))
        raise ValueError(f"kind {kind!r} is offered by {packages}: uninstall all but one of them")
    where = f"kind {kind!r} of the installed package {first.package}"
    try:
        found = EntryPoint(kind, first.value, group_of(package)).load()
    except Exception as error:
        raise ValueError(f"{where} cannot be imported from {first.value}: {error!r}") from error
    if not (isinstance(found, type) and issubclass(found, family)):
        raise ValueError(  # noqa: TRY004  # pydantic collects ValueErrors only
            f"{where} must be a class derived from {family.__module__}.{family.__name__}, but "
            f"{first.value} is none"
        )
    return found


def hidden_plugins(package: str, own_kinds: Collection[str]) -> list[str]:
    """One line for each part that has no effect, because the project has one of the same name."""
    return [
        f"kind {offer.kind!r} of the installed package {offer.package} has no effect: "
        f"{package} has a part of this name, which is used instead"
        for offer in _offers(group_of(package))
        if offer.kind in own_kinds
    ]


@cache
def _offers(group: str) -> tuple[Offer, ...]:
    # Not the entry points themselves: their class is another one once `importlib_metadata`, which
    # some libraries bring, has been imported.
    return tuple(
        Offer(entry.name, entry.value, _source(entry)) for entry in entry_points(group=group)
    )


def _source(entry: Any) -> str:  # noqa: ANN401, of either class
    return "of unknown name" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
