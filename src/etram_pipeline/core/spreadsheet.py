"""Protects tables from spreadsheets, which run text that looks like a formula."""

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that start a formula in a spreadsheet, including full-width ones.

Source: OWASP, "CSV Injection".
"""

_MARK = "'"


def inert(value: object) -> object:
    """The value as written into a cell: text that would be run gets a leading apostrophe."""
    if isinstance(value, str) and value.lstrip(_MARK).startswith(_RUN):
        return _MARK + value
    return value


def original(value: object) -> object:
    """The value that `inert` was given."""
    if isinstance(value, str) and value.startswith(_MARK):
        return value[1:] if value.lstrip(_MARK).startswith(_RUN) else value
    return value
