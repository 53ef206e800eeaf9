"""The size of the sensor, as files state it, and its default."""

import logging
from pathlib import Path

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import LARGEST_SIZE

logger = logging.getLogger(__name__)

_ETRAM_SIZE = (720, 1280)
"""Height and width that the reference assumes for a file that does not state them.

Source: uzh-rpg/RVT, scripts/genx/preprocess_dataset.py, class H5Reader.
"""
_MOST_DIGITS = 9
_SHOWN_CHARACTERS = 20


def stated_size(path: Path, where: str, height: object, width: object) -> tuple[int, int] | None:
    """Height and width of the sensor in px as a file states them; None if it states neither.

    Args:
        path: The file, for the message.
        where: The part of the file that states them, for the message.
        height: Number of rows, as a number or as text; None if it is not stated.
        width: Number of columns, likewise.

    Raises:
        RecordingError: If only one of them is stated, or no sensor has such a size.
    """
    if height is None and width is None:
        return None
    size = whole_number(height), whole_number(width)
    if not all(1 <= side <= LARGEST_SIZE for side in size):
        shown = (str(side)[:_SHOWN_CHARACTERS] for side in (height, width))
        raise RecordingError(
            f"{path}: {where} gives the sensor a height of {next(shown)} and a width of "
            f"{next(shown)}, but both must be whole numbers from 1 to {LARGEST_SIZE}: correct "
            "them, or remove both and set the parameters dataset.height and dataset.width"
        )
    return size


def known_size(
    path: Path, stated: tuple[int, int] | None, otherwise: tuple[int, int] | None
) -> tuple[int, int]:
    """Height and width of the sensor in px: those of the file, else those given.

    Args:
        path: The file, for the message.
        stated: Height and width in px that the file states; None if it states none.
        otherwise: Height and width in px for files that state none; None if unknown.

    Raises:
        RecordingError: If neither is known.
    """
    size = stated or otherwise
    if size is None:
        raise RecordingError(
            f"{path}: the file does not give the size of the sensor; set the parameters "
            "dataset.height and dataset.width to that of the camera "
            "(`etram-live`: give --sensor-size)"
        )
    return size


def size_or_etram(
    path: Path, stated: tuple[int, int] | None, otherwise: tuple[int, int] | None
) -> tuple[int, int]:
    """Height and width of the sensor in px: those of the file, else those given, else eTraM's.

    Args:
        path: The file, for the message.
        stated: Height and width in px that the file states; None if it states none.
        otherwise: Height and width in px for files that state none; None if unknown.
    """
    size = stated or otherwise
    if size is not None:
        return size
    logger.info(
        "%s: does not give the size of the sensor; taking %d rows and %d columns",
        path,
        *_ETRAM_SIZE,
    )
    return _ETRAM_SIZE


def whole_number(value: object) -> int:
    """A value as a whole number; 0 if it is not one, or has more than nine digits."""
    digits = str(value).strip().removesuffix(".0")
    return int(digits) if digits.isdecimal() and len(digits) <= _MOST_DIGITS else 0
