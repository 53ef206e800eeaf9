"""The format of the project itself, written by hand or by `site.html`."""

import json
from collections.abc import Iterable
from typing import Any

import yaml

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.site import Point, Site, Zone

SUFFIXES = (".yml", ".yaml")
STATES_SIZE = True


def parse(text: str, where: str) -> Any:  # noqa: ANN401, whatever a file holds
    """The content of a file.

    Raises:
        SiteError: If it is no YAML, has a key twice, or refers from one place to another.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        _check(root, where, set())
        return None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SiteError(f"{_line(where, mark)}: {error.problem}{_hint(text, mark)}") from error
    except yaml.YAMLError as error:
        raise SiteError(f"{where} is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise SiteError(f"{where} is nested too deeply to be lines and zones") from error
    except SiteError:
        raise
    except (ValueError, OverflowError) as error:  # of dates and long numbers
        raise SiteError(f"{where} has a value that cannot be read: {error}") from error
    finally:
        loader.dispose()


def _check(node: Any, where: str, seen: set[int]) -> None:  # noqa: ANN401, yaml has no types
    """Refuse aliases, and keys that occur twice, of which YAML would keep the last."""
    if id(node) in seen:
        raise SiteError(
            f"{_line(where, node.start_mark)}: an alias refers to this value: write the value out "
            "where it is needed"
        )
    seen.add(id(node))
    lines: dict[str, int] = {}
    for each in node.value if isinstance(node, yaml.CollectionNode) else ():
        for part in each if isinstance(each, tuple) else (each,):
            _check(part, where, seen)
        key = each[0] if isinstance(each, tuple) else None
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in lines:
            raise SiteError(
                f"{_line(where, key.start_mark)}: {key.value!r} is there already, in line "
                f"{lines[key.value]}: rename or remove one of them"
            )
        lines[key.value] = key.start_mark.line + 1


def _line(where: str, mark: Any) -> str:  # noqa: ANN401, yaml has no types
    return f"{where}, line {mark.line + 1}" if mark else where


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
