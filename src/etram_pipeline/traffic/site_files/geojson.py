"""GeoJSON, as QGIS and other geographic information systems write it.

Each feature is a line or a zone. Its properties are `name`, `kind` (`line`, `zone` or `ignore`;
without it, line strings are lines and polygons are zones), and for lines `forward` and `backward`.
Coordinates are px. A picture without a place on the map lies below the origin in QGIS, so rows are
negative there; if the rows of a file are negative on average, their sign is changed. The members
`image` and `ground` at the top level have the meaning that they have in `site.yml`.

Source: RFC 7946.
"""

from typing import Any, Literal

from pydantic import BaseModel, StrictInt, StrictStr, ValidationError

from etram_pipeline.core.errors import SiteError
from etram_pipeline.core.validation_errors import describe_errors, shown
from etram_pipeline.traffic.strict_json import parse_json

SUFFIXES = (".geojson", ".json")
STATES_SIZE = False

_KINDS = {"line": "lines", "zone": "zones", "ignore": "ignore"}
_KIND_OF: dict[str, Literal["line", "zone"]] = {"LineString": "line", "Polygon": "zone"}


class _Properties(BaseModel):
    name: StrictStr | StrictInt
    kind: Literal["line", "zone", "ignore"] | None = None
    forward: StrictStr | None = None
    backward: StrictStr | None = None


class _Geometry(BaseModel):
    type: Literal["LineString", "Polygon", "MultiLineString", "MultiPolygon"]
    coordinates: list[Any]


class _Feature(BaseModel):
    geometry: _Geometry
    properties: _Properties


def parse(text: str, where: str) -> dict[str, Any]:
    """Lines and zones of a file.

    Raises:
        SiteError: If the file is no GeoJSON, or a feature is no line or zone.
    """
    content = parse_json(text, where)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or content.get("type") != "FeatureCollection":
        raise SiteError(f"{where} is no FeatureCollection of GeoJSON: export the layer again")
    if content.get("unit", "px") != "px":
        raise SiteError(
            f"{where} has places in {shown(content['unit'])}, but lines and zones must be in px"
        )
    found: dict[str, dict[str, Any]] = {key: {} for key in _KINDS.values()}
    for number, feature in enumerate(features, start=1):
        try:
            _add(found, _Feature.model_validate(feature), f"{where}: feature {number}")
        except ValidationError as error:
            faults = "; ".join(describe_errors(error, f"feature {number}"))
            raise SiteError(f"{where}: {faults}") from error
    _turn_upright(found)
    return found | {key: content[key] for key in ("image", "ground") if key in content}


def _add(found: dict[str, dict[str, Any]], feature: _Feature, where: str) -> None:
    properties, name = feature.properties, str(feature.properties.name)
    what, points = _points(feature.geometry, f"{where}, {name!r}")
    kind = properties.kind or _KIND_OF[what]
    if (what == "LineString") != (kind == "line"):
        raise SiteError(f"{where}, {name!r} is a {what}, which cannot be of the kind {kind!r}")
    shapes = found[_KINDS[kind]]
    if name in shapes:
        raise SiteError(f"{where}: another {kind} is called {name!r} too: rename one of them")
    if kind == "line":
        names = properties.model_dump(include={"forward", "backward"}, exclude_none=True)
        shapes[name] = {"points": points, **names}
    else:
        shapes[name] = {"polygon": points}


def _points(geometry: _Geometry, where: str) -> tuple[str, list[Any]]:
    """The kind of a geometry, and its only line or ring."""
    what, coordinates = geometry.type.removeprefix("Multi"), geometry.coordinates
    if what != geometry.type:
        coordinates = _only(coordinates, "part", where)
    if what == "Polygon":
        coordinates = _only(coordinates, "ring", where)
        if len(coordinates) > 1 and coordinates[0] == coordinates[-1]:
            coordinates = coordinates[:-1]
    # A third coordinate would be a height.
    return what, [each[:2] if isinstance(each, list) else each for each in coordinates]


def _only(parts: list[Any], what: str, where: str) -> list[Any]:
    if len(parts) != 1 or not isinstance(parts[0], list):
        raise SiteError(f"{where} has {len(parts)} {what}s instead of one: draw it as one")
    return parts[0]


def _turn_upright(found: dict[str, dict[str, Any]]) -> None:
    """Change the sign of all rows if they are negative on average."""
    shapes = [shape for kind in found.values() for shape in kind.values()]
    points = [point for shape in shapes for point in shape.get("points", shape.get("polygon"))]
    rows = [point for point in points if _has_row(point)]
    if sum(point[1] for point in rows) < 0:
        for point in rows:
            point[1] = -point[1]


def _has_row(point: Any) -> bool:  # noqa: ANN401, whatever a file holds
    return isinstance(point, list) and len(point) > 1 and type(point[1]) in {int, float}
