"""Parses `--params`: pairs `key=value`, in which text stays text.

Kedro reads each value as YAML, so a run named 001 would become the number 1. Here a value is taken
as it was typed if the parameter is text: options of a run, and fields of settings that accept only
text.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel

from etram_pipeline.configuration import TEXT_OPTIONS
from etram_pipeline.parameter_types import parameter_types
from etram_pipeline.yaml_files import ConfigurationError, read_yaml

_OPEN, _CLOSED, _QUOTES = "[{", "]}", "\"'"
_BEFORE_ITEM = "[{,:"
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"' r"|'(?:''|[^'])*'", re.DOTALL)
"""Text in quotes, as YAML has it: `"a \\" b"` and `'it''s'`."""

_NO_VALUE = ("null", "~", "")


def parse(words: str) -> dict[str, Any]:
    """Nested parameters from `a.b=1,c=x`, the value of `--params`.

    A comma separates parameters, except inside quotes or brackets.

    Raises:
        ConfigurationError: If a part is not a pair, or its value is not valid YAML.
    """
    found: dict[str, Any] = {}
    for pair in split(words):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise ConfigurationError(
                f"`{pair}` in --params is not `key=value`; a comma separates parameters, so quote "
                "a value that holds one: --params 'recording=\"a,b.raw\"'"
            )
        if not all(key.split(".")):
            where = "between its dots" if key else "before `=`"
            raise ConfigurationError(f"`{pair}` in --params has no key {where}")
        _put(found, key, _value(key, value))
    return found


def split(words: str) -> list[str]:
    """Pairs between commas; commas inside quotes or brackets do not separate.

    Raises:
        ConfigurationError: If a quote or a bracket is not closed.
    """
    pairs, start, resumes, closing = [], 0, 0, ""
    begins_value = False
    for place, letter in enumerate(words):
        if place < resumes:
            continue
        if begins_value and letter in _QUOTES:
            resumes = _after_quotes(words, start, place)
        elif letter in _OPEN and (closing or begins_value):
            closing += _CLOSED[_OPEN.index(letter)]
        elif closing and letter == closing[-1]:
            closing = closing[:-1]
        elif letter == "," and not closing:
            pairs.append(words[start:place])
            start = place + 1
        before_value = _BEFORE_ITEM if closing else "="
        begins_value = letter in before_value or (begins_value and letter.isspace())
    if closing:
        raise ConfigurationError(f"`{words[start:]}` in --params lacks a closing {closing[-1]}")
    return [pair.strip() for pair in [*pairs, words[start:]] if pair.strip()]


def read_file(path: Path) -> dict[str, Any]:
    """Options from a file for `--config`: its mapping `run`, in which text stays text.

    Raises:
        ConfigurationError: If the file is not valid YAML, or has no such mapping.
    """
    options = read_yaml(path).get("run")
    if not isinstance(options, dict):
        raise ConfigurationError(f"{path} holds no mapping `run` with options of `kedro run`")
    parameters = options.get("params")
    if isinstance(parameters, dict):
        texts = yaml.load(path.read_text(), Loader=yaml.BaseLoader)["run"]["params"]
        options["params"] = _with_texts(parameters, texts, "")
    # Kedro expects `pipelines: train,predict`, also where YAML would have a list.
    return {
        key: ",".join(map(str, value)) if isinstance(value, list) else value
        for key, value in options.items()
    }


def _with_texts(values: Mapping[str, Any], texts: Mapping[str, Any], above: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        path, text = f"{above}{key}", texts.get(str(key))
        if isinstance(value, Mapping) and isinstance(text, Mapping):
            found[key] = _with_texts(value, text, f"{path}.")
        else:
            is_kept = isinstance(text, str) and value is not None and _is_text(path, text)
            found[key] = text if is_kept else value
    return found


def _after_quotes(words: str, start: int, place: int) -> int:
    """Where the text in quotes that begins at `place` has ended."""
    found = _QUOTED.match(words, place)
    if found is None:
        raise ConfigurationError(f"`{words[start:]}` in --params lacks a closing {words[place]}")
    return found.end()


def _value(key: str, text: str) -> Any:  # noqa: ANN401  # whatever YAML holds
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES
    if _is_text(key, text) and not is_quoted:
        return text
    try:
        found = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigurationError(
            f"`{key}={text}` in --params is not valid YAML ({problem}): quote the value"
        ) from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"`{key}={text}` in --params holds no value")
    return found["value"]


def _put(tree: dict[str, Any], path: str, value: object) -> None:
    *above, name = path.split(".")
    for part in above:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigurationError(f"--params gives both `{part}` and `{path}` a value")
    below = tree.get(name)
    if isinstance(below, dict) and not isinstance(value, dict):
        raise ConfigurationError(f"--params gives both `{path}` and a key of it a value")
    tree[name] = (
        {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    )


def _is_text(path: str, value: str) -> bool:
    """Whether the parameter at a dotted path is text."""
    if path in TEXT_OPTIONS:
        return not (path == "executor" and value.startswith("{"))
    if "." not in path:
        return False
    name, *fields = path.split(".")
    hint: Any = parameter_types().get(name)
    for field in fields:
        is_model = isinstance(hint, type) and issubclass(hint, BaseModel)
        if not (is_model and field in hint.model_fields):
            return False
        hint = hint.model_fields[field].annotation
    members = _members(hint)
    if NoneType in members and value in _NO_VALUE:
        return False
    return bool(members) and set(members) <= {str, NoneType}


def _members(hint: object) -> Collection[object]:
    """Types that a value may have."""
    if get_origin(hint) in {Union, UnionType}:
        return [member for part in get_args(hint) for member in _members(part)]
    if get_origin(hint) is Literal:
        return [type(choice) for choice in get_args(hint)]
    return [hint]
