"""The page on which people draw the lines and zones of a site, as one file without a server."""

import math

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.reports.page import picture_uri
from etram_pipeline.reports.templating import render_page
from etram_pipeline.traffic.site import Image, Site, check_site

_HUES = 12


def write_site_page(still: RgbImage, site: Site | None, name: str, command: str) -> str:
    """The page as HTML; *Save* on it downloads `site.yml`, which `read_site` reads.

    Args:
        still: Picture of the site, of the size of the sensor.
        site: What is drawn already; None: nothing.
        name: Name of the recording or the place.
        command: Command that counts with the saved file.

    Raises:
        SiteError: If the site was drawn for another sensor.
    """
    height, width = still.shape[:2]
    if site is not None:
        check_site(site, width, height)
    shown = site or Site(image=Image(width=width, height=height))
    values = {
        "name": name,
        "command": command,
        "image": shown.image,
        "palette": palette,
        "picture": picture_uri(still, "png"),
        "directions": [
            palette.direction_colour(2 * math.pi * hue / _HUES) for hue in range(_HUES + 1)
        ],
        "content": {"image": shown.image.model_dump(), "site": shown.model_dump(mode="json")},
    }
    return render_page("site.html.j2", values)
