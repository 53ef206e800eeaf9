"""Replaces passwords and tokens before text is stored where others can read it."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

MASK = "***"

_SECRET_WORDS = {
    *("password", "passwords", "passwd", "passphrase", "passcode", "pwd"),
    *("secret", "secrets", "credential", "credentials", "creds", "bearer"),
    *("auth", "authorization", "signature"),
}
_SECRET_ENDS = (
    "token",
    "apikey",
    "_api_key",
    "_access_key",
    "_private_key",
    "_account_key",
    "_pass",
)
# `max_tokens` and `token_dim` are sizes; `use_auth=true` and `class_token=null` reveal nothing.
_HARMLESS = {"", "true", "false", "null", "none", MASK}

_WORD_BORDER = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
# Both patterns try each word once, not from each letter: a word may have a million letters.
# A password may hold any character, even an `@` or a `/`; a port is no password.
_USER_OF_URL = re.compile(
    r"(?<=[A-Za-z0-9+.\-]://)"
    r"(?:[^\s/?#:@'\"]*:(?!\d+(?:[/?#\s'\"]|$))[^\s'\"]*|(?!git@)[^\s/?#'\"]+)@"
)
_NAME = re.compile(
    r"(?<![\w.\-])(?:[^\WA-Za-z]|[.\-])*(?P<name>[A-Za-z][\w.\-]*)[\"']?"
    r"\s*[=:]\s*(?:(?:Bearer|Basic|Token)\s+)?(?=[^\s=:])"
)
_VALUE = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&'\"{}()\[\]]+")
_SHORTEST_KNOWN = 4  # replacing shorter ones would make text unreadable and reveal where they are


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name holds a secret: `mail.password`, `hfToken`."""
    for part in name.split("."):
        words = [word.lower() for word in _WORD_BORDER.split(part) if word]
        if _SECRET_WORDS & set(words) or "_".join(["", *words]).endswith(_SECRET_ENDS):
            return True
    return False


def mask_text(text: str, known: Collection[str] = ()) -> str:
    """Text without user and password of URLs, and without values assigned to secret names.

    Args:
        text: Any text, such as a traceback.
        known: Secrets to replace everywhere.
    """
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _SHORTEST_KNOWN:
            text = text.replace(secret, MASK)
    if "@" in text:
        text = _USER_OF_URL.sub(f"{MASK}@", text)
    return _mask_assignments(text)


def mask_value(name: str, value: Any) -> Any:  # noqa: ANN401  # any parameter
    """A parameter's value without secrets, at any depth."""
    if is_secret_name(name) and str(value).lower() not in _HARMLESS:
        return MASK
    if isinstance(value, Mapping):
        return {key: mask_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(name, item) for item in value]
    return mask_text(value) if isinstance(value, str) else value


def secrets_in(name: str, value: object) -> set[str]:
    """Secrets in a parameter, as text."""
    if isinstance(value, Mapping):
        return set().union(*(secrets_in(f"{name}.{key}", item) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*(secrets_in(name, item) for item in value))
    is_secret = is_secret_name(name) and str(value).lower() not in _HARMLESS
    return {str(value)} if is_secret else set()


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """The words of a command line without secrets, such as `--params mail.password=…`."""
    masked: list[str] = []
    for argument in arguments:
        before = masked[-1] if masked else ""
        if before.startswith("--") and "=" not in before and is_secret_name(before):
            masked.append(MASK)
        else:
            masked.append(",".join(_mask_item(item) for item in argument.split(",")))
    return masked


def _mask_item(item: str) -> str:
    # Quotes or spaces do not end a value here, because the shell has already split the words.
    name, sign, value = item.partition("=")
    if sign and is_secret_name(name) and value.lower() not in _HARMLESS:
        return f"{name}={MASK}"
    return mask_text(item)


def _mask_assignments(text: str) -> str:
    parts: list[str] = []
    done = 0
    for match in _NAME.finditer(text):
        if match.start() < done or not is_secret_name(match["name"]):
            continue
        value = _VALUE.match(text, match.end())
        if value is None:
            continue
        bare = value[0].strip("\"'")
        if bare.lower() not in _HARMLESS:
            parts += [text[done : value.start()], value[0].replace(bare, MASK)]
            done = value.end()
    return "".join([*parts, text[done:]])
