"""Text in tables for spreadsheets, which run text that looks like a formula."""

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Beginnings that a spreadsheet takes for those of a formula, the wide ones of East Asia included.

Source: OWASP, "CSV Injection".
"""

_MARK = "'"


def inert(value: object) -> object:
    """The value as it goes into a cell: text that would be run gets an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(_MARK).startswith(_RUN):
        return _MARK + value
    return value


def original(value: object) -> object:
    """What `inert` was given."""
    if isinstance(value, str) and value.startswith(_MARK):
        return value[1:] if value.lstrip(_MARK).startswith(_RUN) else value
    return value
