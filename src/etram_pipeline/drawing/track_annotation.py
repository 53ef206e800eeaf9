"""Pictures of windows with tracks and their trails."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from typing_extensions import override

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.annotation import AnnotatedWindow, Annotator, class_title, corners
from etram_pipeline.drawing.render import Overlay, RgbImage
from etram_pipeline.tracks.table import RESTED, TrackTable

TRAIL_US = 2_000_000
"""Time after which a trail has faded."""

_KM_H = 3.6


class TrackAnnotator(Annotator):
    """Draws windows of one recording with tracks instead of detections.

    Solid boxes are tracks in the colour of their class, with id, class and, where it is known,
    speed; dotted ones rest unseen. A trail shows the way of the last two seconds.
    """

    _verb = "tracked"

    def __init__(
        self,
        tracks: TrackTable,
        class_names: Sequence[str],
        scale: int | None = None,
        saturation: float | None = None,
    ) -> None:
        """Args give the rows that trails are drawn from; see `Annotator` for the others."""
        super().__init__(class_names, scale, saturation)
        self._tracks = tracks[np.argsort(tracks["t"], kind="stable")]

    @override
    def _background(self, scene: AnnotatedWindow, scale: int) -> RgbImage:
        image = Image.fromarray(super()._background(scene, scale))
        self._draw_ways(image, scene.time_us, scale / scene.downsampled_by)
        return np.asarray(image)

    @override
    def _found(self, scene: AnnotatedWindow) -> list[Overlay]:
        rests = scene.detections["state"] == RESTED
        return [
            self._overlay(scene.detections[rests], scene.downsampled_by, rest=True),
            self._overlay(scene.detections[~rests], scene.downsampled_by, rest=False),
        ]

    def _overlay(self, rows: TrackTable, downsampled_by: int, *, rest: bool) -> Overlay:
        return Overlay(
            boxes_xyxy=corners(rows, downsampled_by),
            colours=palette.class_colours(rows["class_id"].tolist()),
            tags=tuple(
                f"{track_id} {class_title(self._class_names, class_id)}{_speed_text(speed)}"
                for track_id, class_id, speed in rows[
                    ["track_id", "class_id", "speed_m_s"]
                ].tolist()
            ),
            outline="dotted" if rest else "solid",
        )

    def _draw_ways(self, image: Image.Image, now_us: int, factor: float) -> None:
        """Draw the ways of the last seconds, fainter the longer ago.

        Args:
            image: Picture to draw on.
            now_us: Time of the picture, in microseconds.
            factor: Px of the picture per px of the sensor.
        """
        draw = ImageDraw.Draw(image, "RGBA")
        first, stop = np.searchsorted(self._tracks["t"], [now_us - TRAIL_US + 1, now_us + 1])
        rows = self._tracks[first:stop]
        rows = rows[np.argsort(rows["track_id"], kind="stable")]
        x = (rows["x"] + rows["w"] / 2) * factor
        y = (rows["y"] + rows["h"]) * factor
        points = np.stack([x, y], axis=1).tolist()
        faded = ((now_us - rows["t"]) / TRAIL_US).tolist()
        ids, class_ids = rows["track_id"].tolist(), rows["class_id"].tolist()
        width = max(2, round(image.width / 420))
        for step in range(1, len(rows)):
            if ids[step] == ids[step - 1]:
                ink = palette.rgb(palette.class_colour(class_ids[step]))
                alpha = round(230 * (1 - faded[step]))
                draw.line((*points[step - 1], *points[step]), fill=(*ink, alpha), width=width)


def _speed_text(speed_m_s: float) -> str:
    return "" if math.isnan(speed_m_s) else f" {_KM_H * speed_m_s:.0f} km/h"
