"""Mistakes and suspected label errors as sections of a page."""

import base64
from collections.abc import Mapping, Sequence

from etram_pipeline.reports.mistake_clips import HEIGHT, NUM_FRAMES, WIDTH
from etram_pipeline.reports.mistakes import MistakeClip
from etram_pipeline.reports.tables import Table, records_table

SHOWN_SUSPECTS = 20
"""Suspected label errors on the page; the file beside it has all."""

_KINDS = {
    "class": "the right place, but the wrong class",
    "location": "the right class, but the box fits badly",
    "both": "the wrong class, and the box fits badly",
    "duplicate": "a second detection of an object that was found already",
    "background": "a detection where nothing is labelled",
    "missed": "a label that nothing finds",
}
_FILTERS = {"kind": "kind", "class": "class", "recording": "recording", "light": "light"}


def gallery_section(clips: Sequence[MistakeClip]) -> dict[str, object]:
    """What the template of the gallery shows; empty without clips."""
    if not clips:
        return {}
    items = [_item(clip) for clip in clips]
    facets = {name: _values(items, name) for name in _FILTERS}
    shown = list(dict.fromkeys(clip.kind for clip in clips))
    return {
        "clips": items,
        "kinds": {kind: _KINDS.get(kind, "") for kind in shown},
        "filters": {name: values for name, values in facets.items() if len(values) > 1},
        "without": sum(clip.strip is None for clip in clips),
        "num_frames": NUM_FRAMES,
        "width": WIDTH,
        "height": HEIGHT,
    }


def suspect_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """The most suspicious labels, for a page."""
    return records_table(
        [
            {
                "rank": row["rank"],
                "suspicion": row["suspicion"],
                "kind": str(row["kind"]).replace("_", " "),
                "recording": str(row["recording"]).rpartition("/")[2],
                "from s": row["start_s"],
                "to s": row["stop_s"],
                "reason": row["reason"],
            }
            for row in rows[:SHOWN_SUSPECTS]
        ]
    )


def _item(clip: MistakeClip) -> dict[str, object]:
    strip = clip.strip
    name = clip.recording.rpartition("/")[2]
    return {
        "kind": clip.kind,
        "class": clip.class_name,
        "recording": name,
        "light": clip.light,
        "title": _title(clip),
        "where": f"{name} at {clip.time_us / 1e6:.2f} s",
        "cost": f"{clip.cost:.5f}",
        "source": strip and f"data:image/webp;base64,{base64.b64encode(strip).decode()}",
    }


def _title(clip: MistakeClip) -> str:
    found = clip.class_name if clip.score is None else f"{clip.class_name} {clip.score:.2f}"
    return {
        "class": f"{found}, labelled {clip.label_class}",
        "location": f"{found} beside its label",
        "both": f"{found} beside a {clip.label_class}",
        "duplicate": f"{found}, found already",
        "background": f"{found}, not labelled",
        "missed": f"{found}, not found",
    }.get(clip.kind, found)


def _values(items: Sequence[Mapping[str, object]], name: str) -> list[str]:
    """Values that mistakes can be filtered by, in order of their first appearance."""
    return list(dict.fromkeys(str(item[name]) for item in items if item[name]))
