"""Pictures of windows with tracks, their trails, and the lines that they cross."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from PIL import Image, ImageDraw
from typing_extensions import override

from etram_pipeline.drawing.track_annotation import TrackAnnotator
from etram_pipeline.reports.traffic.site_drawing import LineCounts, draw_counts, draw_site
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.site import Site


@dataclass(frozen=True)
class TrackedView:
    """What a video shows of tracks and traffic.

    Attributes:
        tracks: Tracks of the recording.
        site: Lines and zones to draw; None: none.
        crossings: Rows with time `t` in microseconds, `line` and `direction`; None: no counts.
    """

    tracks: TrackTable
    site: Site | None = None
    crossings: npt.NDArray[Any] | None = None


class SiteAnnotator(TrackAnnotator):
    """Draws tracks over the lines and zones of a site.

    Lines have the numbers of crossings so far, and zones in which nothing counts are hatched.
    """

    def __init__(
        self,
        view: TrackedView,
        class_names: Sequence[str],
        scale: int | None = None,
        saturation: float | None = None,
    ) -> None:
        """Args give what to draw; see `Annotator` for the others."""
        super().__init__(view.tracks, class_names, scale, saturation)
        self._site = view.site
        self._counts = LineCounts(view.crossings)
        self._drawn_site: Image.Image | None = None

    @override
    def _draw_ways(self, image: Image.Image, now_us: int, factor: float) -> None:
        if self._site is None:
            super()._draw_ways(image, now_us, factor)
            return
        if self._drawn_site is None:
            self._drawn_site = draw_site(self._site, image.size, factor)
        image.paste(self._drawn_site, mask=self._drawn_site)
        super()._draw_ways(image, now_us, factor)
        counts = self._counts.until(now_us)
        draw_counts(ImageDraw.Draw(image, "RGBA"), self._site, counts, factor)
