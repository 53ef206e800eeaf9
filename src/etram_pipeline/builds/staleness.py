"""Whether the stored files of a recording are up to date, and if not, why.

They are out of date if the recipe, a parameter or an input changed. An input is compared by its
hash if that is known both then and now, and otherwise by its size and its time of change. So hashes
can be requested at any time: inputs without a hash are compared by size and time until they
are hashed, and nothing is computed again only because hashes were requested.
"""

import datetime
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import FileIdentity, fingerprint
from etram_pipeline.core.mappings import flatten
from etram_pipeline.stores.index import IndexEntry, Provenance, Skip
from etram_pipeline.stores.record import Record, read_record

_MOST_CHANGES_SHOWN = 3
_LONGEST_VALUE = 40
_UNKNOWN = "made with other parameters, by another recipe or of another input"


@dataclass(frozen=True)
class StoredState:
    """The state of a recording's stored files.

    Attributes:
        entry: Entry for the index if the files are up to date.
        reason: Why they are out of date; empty if there never were any.
        damaged: Damaged files of this project, to be removed before they are made again.
    """

    entry: IndexEntry | None = None
    reason: str = ""
    damaged: tuple[Path, ...] = ()


def examine(folder: Path, job: BuildJob, now: Provenance, listed: IndexEntry | None) -> StoredState:
    """Examine the stored files of a recording.

    Args:
        folder: Folder of the recording.
        job: The job that makes them.
        now: Inputs and settings of the job.
        listed: Entry in the index of the last build; None if there is none.

    Raises:
        PermissionError: If the files cannot be read.
    """
    there = [name for name in job.outputs if (folder / name).is_file()]
    if missing := [name for name in job.outputs if name not in there]:
        reason = _changes(listed, now) or f"{missing[0]} is missing"
        return StoredState(reason=reason if there or listed else "")
    is_listed = listed is not None and listed.file.endswith(job.outputs[-1])
    try:
        record = read_record(folder / job.outputs[-1])
    except StoreError:
        is_ours = is_listed or job.outputs[-1].endswith(".json")
        damaged = tuple(folder / name for name in job.outputs) if is_ours else ()
        return StoredState(reason=f"{job.outputs[-1]} is damaged", damaged=damaged)
    if record is None:
        return StoredState()  # made elsewhere; the job refuses it
    if listed is not None and is_listed and record.fingerprint == listed.fingerprint:
        return _compare(folder, listed, now)
    if record.fingerprint in _marks(now):
        # Finished by a build that was killed before it wrote the index.
        return StoredState(_entry(folder, job, record, job.hashed(now)))
    reason = _changes(listed, now) if record.fingerprint else "left unfinished"
    return StoredState(reason=reason or _UNKNOWN)


def is_still_skipped(skip: Skip, now: Provenance) -> bool:
    """Whether there is still nothing to store of a recording."""
    if skip.origin is not None:
        return not why_stale(skip.origin, now)
    return skip.fingerprint in _marks(now)


def why_stale(made: Provenance, now: Provenance) -> str:
    """What changed between two origins; empty if nothing did."""
    reasons = [] if made.recipe == now.recipe else [f"recipe {made.recipe} -> {now.recipe}"]
    if changes := _changed_parameters(made.parameters, now.parameters):
        num_hidden = len(changes) - _MOST_CHANGES_SHOWN
        more = [f"{num_hidden} more"] if num_hidden > 0 else []
        reasons.append("parameters: " + ", ".join([*changes[:_MOST_CHANGES_SHOWN], *more]))
    names, names_now = ([file.name for file in origin.inputs] for origin in (made, now))
    if names != names_now:
        reasons.append(_other_inputs(names, names_now))
    else:
        files = zip(made.inputs, now.inputs, strict=True)
        reasons += [
            f"input {after.name}: {change}"
            for before, after in files
            if (change := _changed_input(before, after))
        ]
    return "; ".join(reasons)


def _changes(listed: IndexEntry | None, now: Provenance) -> str:
    """What changed since the last build, as far as known."""
    return why_stale(listed.origin, now) if listed and listed.origin else ""


def _compare(folder: Path, listed: IndexEntry, now: Provenance) -> StoredState:
    for name, size in listed.sizes.items():
        # An earlier version may have written files that this one does not.
        if not (folder / name).is_file():
            return StoredState(reason=f"{name} is missing")
        found = (folder / name).stat().st_size
        if found != size:
            return StoredState(reason=f"{name} is damaged, it has {found} bytes instead of {size}")
    if listed.origin is None:
        is_same = listed.fingerprint in _marks(now)
    else:
        is_same = not why_stale(listed.origin, now)
        now = _with_known_digests(now, listed.origin) if is_same else now
    if not is_same:
        return StoredState(reason=_changes(listed, now) or _UNKNOWN)
    return StoredState(listed.model_copy(update={"origin": now}))


def _with_known_digests(now: Provenance, made: Provenance) -> Provenance:
    """The origin, with hashes of unchanged inputs from earlier builds."""
    pairs = zip(made.inputs, now.inputs, strict=True)
    inputs = tuple(after if after.digest else before for before, after in pairs)
    return now.model_copy(update={"inputs": inputs})


def _marks(now: Provenance) -> set[str]:
    """Fingerprints of a result made now, with and without hashes of the inputs."""
    bare = tuple(file.model_copy(update={"digest": ""}) for file in now.inputs)
    return {fingerprint(now), fingerprint(now.model_copy(update={"inputs": bare}))}


def _entry(folder: Path, job: BuildJob, record: Record, now: Provenance) -> IndexEntry:
    return IndexEntry(
        file=f"{folder.parent.name}/{folder.name}/{job.outputs[-1]}",
        fingerprint=record.fingerprint,
        summary=record.summary,
        origin=now,
        sizes={name: (folder / name).stat().st_size for name in job.outputs},
    )


def _other_inputs(before: list[str], now: list[str]) -> str:
    new, gone = Counter(now) - Counter(before), Counter(before) - Counter(now)
    if new and gone:
        return f"input {', '.join(new.elements())} instead of {', '.join(gone.elements())}"
    if new:
        return f"input {', '.join(new.elements())} is new"
    return f"input {', '.join(gone.elements())} is gone" if gone else "inputs in another order"


def _changed_input(before: FileIdentity, now: FileIdentity) -> str:
    if before.digest and now.digest:
        return "" if before.digest == now.digest else "its content changed"
    if before.size != now.size:
        return f"size {before.size} -> {now.size}"
    if before.mtime_ns != now.mtime_ns:
        changed = datetime.datetime.fromtimestamp(now.mtime_ns / 1e9).astimezone()
        return f"changed on {changed:%Y-%m-%d at %H:%M:%S}"
    return ""


def _changed_parameters(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    flat_before, flat_now = (flatten(each, with_items=True) for each in (before, now))
    return [
        f"{name} {_shown(flat_before, name)} -> {_shown(flat_now, name)}"
        for name in flat_before | flat_now
        if name not in flat_before or name not in flat_now or flat_before[name] != flat_now[name]
    ]


def _shown(flat: Mapping[str, object], name: str) -> str:
    value = flat.get(name, "not set")
    text = value if isinstance(value, str) else json.dumps(value)  # as in YAML: null, not None
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
