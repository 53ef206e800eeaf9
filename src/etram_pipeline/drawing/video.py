"""MP4 files that browsers play, written picture by picture."""

import itertools
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from etram_pipeline.core.files import written_whole
from etram_pipeline.drawing.render import RgbImage

logger = logging.getLogger(__name__)

_ENCODERS = (
    ("libx264", {"crf": "28", "preset": "veryfast"}),
    ("libopenh264", {"b": "4M"}),
    ("mpeg4", {"b": "8M"}),
)
"""Encoders in order of preference, with their quality; browsers do not play the last."""


def write_video(path: Path, images: Iterator[RgbImage], frames_per_second: float | int) -> None:
    """Write pictures as an MP4, one at a time, so that memory does not grow with their number.

    The first picture sets the size. Odd heights and widths, which the format cannot hold, get one
    more row or column that repeats the last. The file is whole or absent, whatever happens.

    Args:
        path: The file; replaced if it is there.
        images: Pictures of one size.
        frames_per_second: Speed of playing.

    Raises:
        ValueError: If there is no picture, a picture differs in size, or the rate is not positive.
    """
    if frames_per_second <= 0:
        raise ValueError(f"frames_per_second must be positive, found {frames_per_second}")
    first = next(images, None)
    if first is None:
        raise ValueError(f"no picture to write to {path}")
    with (
        written_whole(path) as partial,
        av.open(partial, "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = _add_stream(container, first, frames_per_second)
        for number, image in enumerate(itertools.chain([first], images)):
            if image.shape != first.shape:
                raise ValueError(
                    f"picture {number} of {path} has shape {image.shape}, the first {first.shape}"
                )
            container.mux(stream.encode(_even_frame(image)))
        container.mux(stream.encode(None))


def read_picture(path: Path, share: float = 0.4) -> RgbImage:
    """One picture of a video, at `share` of its length.

    Raises:
        ValueError: If the file holds no picture.
    """
    with av.open(path) as container:
        stream = container.streams.video[0]
        wanted = int(share * (stream.frames - 1))
        for number, frame in enumerate(container.decode(stream)):
            if number >= wanted:
                return frame.to_ndarray(format="rgb24")
    raise ValueError(f"{path} holds no picture")


def _add_stream(
    container: OutputContainer, first: RgbImage, frames_per_second: float | int
) -> VideoStream:
    name, options = next(
        (encoder for encoder in _ENCODERS if encoder[0] in av.codecs_available), _ENCODERS[-1]
    )
    if name == "mpeg4":
        logger.warning("this build of PyAV has no H.264 encoder: browsers may not play the video")
    rate = Fraction(frames_per_second).limit_denominator(1001)
    stream = cast("VideoStream", container.add_stream(name, rate=rate, options=options))
    height, width = first.shape[:2]
    stream.height, stream.width = height + height % 2, width + width % 2
    stream.pix_fmt = "yuv420p"
    return stream


def _even_frame(image: RgbImage) -> av.VideoFrame:
    height, width = image.shape[:2]
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    even = np.pad(image, padding, mode="edge") if height % 2 or width % 2 else image
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
