"""The format of the project itself, written by hand or by `site.html`."""

import json
from collections.abc import Iterable
from typing import Any

import yaml

from etram_pipeline.traffic.site import Point, Site, Zone

SUFFIXES = (".yml", ".yaml")
STATES_SIZE = True


def parse(text: str) -> Any:  # noqa: ANN401, whatever a file holds
    """The content of a file.

    Raises:
        ValueError: If it is no YAML, repeats a key, or refers from one place to another.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check(root, set())
        return _constructed(loader, root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"{_line(mark)}{error.problem}{_hint(text, mark)}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply to be lines and zones") from error
    finally:
        loader.dispose()


def _constructed(loader: Any, root: Any) -> Any:  # noqa: ANN401, yaml has no types
    try:
        return loader.construct_document(root)
    except (ValueError, OverflowError) as error:  # of dates and numbers
        raise ValueError(f"a value in it cannot be read: {error}") from error


def _check(node: Any, seen: set[int]) -> None:  # noqa: ANN401, yaml has no types
    """Refuse keys that occur twice, of which YAML would keep the last, and references."""
    if id(node) in seen:
        raise ValueError(f"{_line(node.start_mark)}it is used again by an alias: write it out")
    seen.add(id(node))
    keys: dict[str, Any] = {}
    for each in node.value if isinstance(node.value, list) else ():
        if not isinstance(each, tuple):
            _check(each, seen)
            continue
        key, value = each
        if isinstance(key.value, str) and key.value in keys:
            first = keys[key.value].start_mark.line + 1
            raise ValueError(
                f"{_line(key.start_mark)}{key.value!r} is there already, in line {first}: rename "
                "or remove one of them"
            )
        if isinstance(key.value, str):
            keys[key.value] = key
        _check(key, seen)
        _check(value, seen)


def _line(mark: Any) -> str:  # noqa: ANN401, yaml has no types
    return f"line {mark.line + 1}: " if mark else ""


def _hint(text: str, mark: Any) -> str:  # noqa: ANN401, yaml has no types
    lines = text.splitlines()[mark.line : mark.line + 1] if mark else []
    return ": indent with spaces, not with a tab" if "\t" in "".join(lines) else ""


def dump(site: Site) -> str:
    """A site as YAML, one line for each line and zone."""
    lines = [
        f"{_text(name)}: {{points: {_points(line.points)}, forward: {_text(line.forward)}, "
        f"backward: {_text(line.backward)}}}"
        for name, line in site.lines.items()
    ]
    parts = [
        f"version: {site.version}",
        f"image: {{width: {site.image.width}, height: {site.image.height}}}",
        *_block("lines", lines),
        *_block("zones", _zones(site.zones)),
        *_block("ignore", _zones(site.ignore)),
    ]
    if site.ground is not None:
        px, metres = _points(site.ground.points_px), _points(site.ground.points_m)
        parts.append(f"ground: {{points_px: {px}, points_m: {metres}}}")
    return "\n".join(parts) + "\n"


def _block(key: str, entries: list[str]) -> list[str]:
    return [f"{key}:", *(f"  {each}" for each in entries)] if entries else [f"{key}: {{}}"]


def _zones(zones: dict[str, Zone]) -> list[str]:
    return [f"{_text(name)}: {{polygon: {_points(each.polygon)}}}" for name, each in zones.items()]


def _points(points: Iterable[Point]) -> str:
    return "[" + ", ".join(f"[{_number(x)}, {_number(y)}]" for x, y in points) + "]"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _text(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
