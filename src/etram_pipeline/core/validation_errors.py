"""Errors of pydantic in plain words, one line each: `train.lanes: must be a whole number, …`."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from etram_pipeline.core import component
from etram_pipeline.core.hints import KEY

_LONGEST_VALUE = 60

_MUST_BE = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "none_required": "null",
    "literal_error": "{expected}",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "path_type": "a path",
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
        "a date and a time, such as '2026-06-01T07:00:00+02:00'",
    ),
    "string_pattern_mismatch": "text like {pattern}",
}
_MUST_HAVE = {
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} item(s)",
    "string_too_short": "at least {min_length} character(s)",
    "string_too_long": "at most {max_length} character(s)",
}
_NUMBERS = (int, float)


def describe_errors(error: ValidationError, where: str = "") -> list[str]:
    """One line for each wrong value: its dotted path, what it must be, and what it is.

    Args:
        error: The error of pydantic, for settings of any depth.
        where: Path of the settings themselves, such as the name of the parameter.
    """
    by_path: dict[str, list[ErrorDetails]] = {}
    for each in error.errors(include_url=False):
        if _is_consequence(each):
            continue
        by_path.setdefault(_path(where, each), []).append(each)
    return [
        f"{path}: {_sentence(found)}" if path else _sentence(found)
        for path, found in by_path.items()
    ]


def _is_consequence(error: ErrorDetails) -> bool:
    """Whether a list is too short only because some of its items are wrong."""
    if error["type"] != "too_short":
        return False
    return bool(len(error["input"]) >= error["ctx"]["min_length"])


def _path(where: str, error: ErrorDetails) -> str:
    parts = [where, *map(str, error["loc"])]
    return ".".join(part for part in parts if part not in {"", KEY})


def _sentence(errors: list[ErrorDetails]) -> str:
    """One sentence about one value; every member of a union reports its own error."""
    first = errors[0]
    wanted = list(dict.fromkeys(text for each in errors if (text := _must_be(each))))
    if not wanted:
        return _other(first)
    value = first["input"]
    subject = "the key must be" if first["loc"][-1:] == (KEY,) else "must be"
    return f"{subject} {' or '.join(wanted)}, not {shown(value)}{_advice(errors, value)}"


def _must_be(error: ErrorDetails) -> str | None:
    template = _MUST_BE.get(error["type"])
    if template is None:
        return None
    context = {key: _exact(value) for key, value in error.get("ctx", {}).items()}
    return template.format(**context)


def _exact(value: object) -> object:
    """A whole number without a decimal point; any other value unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _other(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case component.UNKNOWN_KEY:
            return str(context["message"])
        case "missing":
            is_item = isinstance(error["loc"][-1], int)
            return "is missing: the list is too short" if is_item else "is missing"
        case "value_error" | "assertion_error":
            return str(context["error"])
        case kind if kind in _MUST_HAVE:
            return f"must have {_MUST_HAVE[kind].format(**context)}, not {shown(error['input'])}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {shown(error['input'])}"


def _advice(errors: list[ErrorDetails], value: object) -> str:
    types = {error["type"] for error in errors}
    if types == {"string_type"} and isinstance(value, _NUMBERS):
        return ": put it in quotes"
    if "literal_error" in types and isinstance(value, str):
        close = component.nearest(value, errors[0].get("ctx", {}).get("choices", []))
        return f"; did you mean '{close}'?" if close else ""
    return ""


def shown(value: object) -> str:
    """A value as messages quote it: short, and in YAML's notation rather than Python's."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        value = list(value)
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
