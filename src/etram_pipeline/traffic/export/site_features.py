"""Lines and zones as GeoJSON."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from etram_pipeline.traffic.export.features import feature, write_features
from etram_pipeline.traffic.site import Point, Site

Places = Float64[np.ndarray, "N 2"]


def write_px(path: Path, site: Site) -> None:
    """Write a site in px whose rows go up, as QGIS places a picture; `read_site` reads it back."""
    members: dict[str, Any] = {"unit": "px", "image": site.image.model_dump()}
    if site.ground is not None:
        members["ground"] = site.ground.model_dump(mode="json")
    write_features(path, _features(site, lambda places: places * (1, -1)), **members)


def write_metres(path: Path, site: Site, to_ground: Callable[[Places], Places]) -> list[str]:
    """Write the lines and zones whose places on the ground are known.

    Args:
        path: The file.
        site: The site.
        to_ground: Places in metres of places in px; NaN where they are unknown.

    Returns:
        Names of the lines and zones that are left out.
    """
    features = list(_features(site, to_ground))
    known = [each for each in features if _is_known(each)]
    write_features(path, known, unit="m")
    names = {each["properties"]["name"] for each in known}
    return [
        each["properties"]["name"] for each in features if each["properties"]["name"] not in names
    ]


def _features(site: Site, moved: Callable[[Places], Places]) -> Iterator[dict[str, Any]]:
    def rounded(points: tuple[Point, ...]) -> list[list[float]]:
        places: list[list[float]] = moved(np.array(points, np.float64)).tolist()
        return places

    for name, line in site.lines.items():
        directions = {"forward": line.forward, "backward": line.backward}
        points = rounded(line.points)
        yield feature("LineString", points, name=name, kind="line", **directions)
    for kind, zones in (("zone", site.zones), ("ignore", site.ignore)):
        for name, zone in zones.items():
            ring = rounded((*zone.polygon, zone.polygon[0]))
            yield feature("Polygon", [ring], name=name, kind=kind)


def _is_known(each: dict[str, Any]) -> bool:
    return bool(np.isfinite(each["geometry"]["coordinates"]).all())
