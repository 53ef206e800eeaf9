"""Collections of features of GeoJSON, written one feature at a time."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from etram_pipeline.core.files import written_whole


def feature(geometry: str, coordinates: object, **properties: object) -> dict[str, Any]:
    """A feature of a collection."""
    return {
        "type": "Feature",
        "geometry": {"type": geometry, "coordinates": coordinates},
        "properties": properties,
    }


def write_features(path: Path, features: Iterable[Mapping[str, object]], **members: object) -> None:
    """Write a collection.

    Args:
        path: The file.
        features: Its features, which need not fit into memory.
        members: Further members of the collection.
    """
    head = json.dumps({"type": "FeatureCollection", **members}, ensure_ascii=False)
    with written_whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(f'{head[:-1]}, "features": [')
        for number, each in enumerate(features):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(each, ensure_ascii=False))
        file.write("\n]}\n")
