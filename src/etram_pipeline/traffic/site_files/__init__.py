"""Files of lines and zones, one module per format.

A module has `SUFFIXES`; `STATES_SIZE`, whether its files state the size of the image; and
`parse(text, where)`, which turns the text of the file `where` into a mapping for `Site`, or raises
a `SiteError`. A format is added by adding a file.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from etram_pipeline.core.component import kinds
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import SiteError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.hints import KEY
from etram_pipeline.core.validation_errors import describe_errors, shown
from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.site import Image, Site, check_site

LARGEST_FILE = 1_000_000
"""Bytes of the largest file that can be lines and zones."""

_NUM_SHOWN = 3

_NOUNS = {"lines": "line", "zones": "zone", "ignore": "ignored zone"}
_LISTS = {"points": "", "polygon": "", "points_px": "points_px", "points_m": "points_m"}
"""Lists of points, and what messages call those that a shape has two of."""


def site_for(path: Path | None, width: int, height: int) -> Site:
    """The site of a recording: that of a file, or lines inside the border of the sensor.

    Args:
        path: The file; None for the default.
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.

    Raises:
        SiteError: If the file is damaged or was drawn for another sensor.
    """
    if path is None:
        return border_site(width, height)
    site = read_site(path, Image(width=width, height=height))
    try:
        check_site(site, width, height)
    except SiteError as error:
        raise SiteError(f"{path}: {error}") from error
    return site


def read_site(path: Path, image: Image | None = None) -> Site:
    """Lines and zones of a file: YAML, GeoJSON, or a file of OTAnalytics.

    Args:
        path: The file; its suffix tells its format.
        image: The size of the image, for formats that do not state it.

    Raises:
        SiteError: If the file cannot be read, or a line, zone or point in it is wrong; the message
            has one line.
    """
    file_format = _format_of(path)
    text = _text(path)
    content = file_format.parse(text, str(path))
    if not file_format.STATES_SIZE:
        content = _with_image(content, image, path)
    try:
        return Site.model_validate(content)
    except ValidationError as error:
        faults = describe_errors(_placed(error))
        more = len(faults) - _NUM_SHOWN
        rest = f"; and {counted(more, 'fault')} more" if more > 0 else ""
        told = " ".join("; ".join(faults[:_NUM_SHOWN]).split())  # keys may have line breaks
        raise SiteError(f"{path}: {told}{rest}") from error


def write_site(path: Path, site: Site) -> None:
    """Write a site as YAML, completely or not at all; `read_site` reads the same site back."""
    from etram_pipeline.traffic.site_files.yml import dump

    with written_whole(path) as partial:
        partial.write_text(dump(site), encoding="utf-8")


def _with_image(content: dict[str, Any], image: Image | None, path: Path) -> dict[str, Any]:
    if "image" not in content and image is None:
        raise SiteError(
            f"{path} does not state the size of the image: add "
            '"image": {"width": 1280, "height": 720} at its top level, with the size of the sensor'
        )
    return {"image": image, **content}


def _format_of(path: Path) -> ModuleType:
    formats = [import_module(f"{__name__}.{kind}") for kind in kinds(__name__)]
    by_suffix = {suffix: each for each in formats for suffix in each.SUFFIXES}
    if path.suffix.lower() not in by_suffix:
        found = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise SiteError(
            f"{path} has {found}, but files of lines and zones end in {', '.join(by_suffix)}"
        )
    return by_suffix[path.suffix.lower()]


def _text(path: Path) -> str:
    content = _content(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SiteError(
            f"{path}, line {line}: it is no text in UTF-8; save it again in this encoding"
        ) from error


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no plain file"
            raise SiteError(f"{path} is {what}: give the file that holds the lines and zones")
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise SiteError(
                f"{path} has {size / 1e6:.1f} MB, too much for lines and zones: is it another file?"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SiteError(f"there is no file of lines and zones at {path}: check the path") from error
    except OSError as error:
        raise SiteError(f"{path} cannot be read: {error.strerror}") from error


def _placed(error: ValidationError) -> ValidationError:
    """The error with places as a person names them: `line 'north', point 2, x`."""
    faults = [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], each["msg"], each.get("ctx") or {}),
            loc=_place_of(each["loc"]),
            input=each["input"],
        )
        for each in error.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(error.title, faults)


def _place_of(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    first, *inner = location or ("",)
    if inner[-1:] == [KEY]:
        return first, KEY
    words = [str(first)]
    if first in _NOUNS and inner:
        words = [f"{_NOUNS[str(first)]} {shown(inner.pop(0))}"]
    if inner and inner[0] in _LISTS and len(inner) > 1:
        words += [_LISTS[str(inner[0])], f"point {int(inner[1]) + 1}"]
        inner = ["xy"[int(axis)] for axis in inner[2:]]
    return (", ".join([*filter(None, words), *map(str, inner)]),)
