"""Reads the YAML files of a configuration; errors name the file and the line."""

import shutil
import tarfile
import tempfile
import weakref
import zipfile
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import fsspec
import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from typing_extensions import override

from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.mappings import flatten

_SUFFIXES = {".yml", ".yaml", ".json"}


class ConfigurationError(EtramError, click.ClickException):
    """The configuration or the command line is invalid.

    It is an exception of click, so every command of Kedro prints it as one line.
    """

    @override
    def __str__(self) -> str:
        return self.message


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file; interpolations are not resolved.

    Raises:
        ConfigurationError: With file and line, if the file is no YAML or holds no mapping.
    """
    try:
        loaded = OmegaConf.load(path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        lines = path.read_text().splitlines()
        is_tab = mark is not None and "\t" in "".join(lines[mark.line : mark.line + 1])
        hint = ": indent with spaces, not with a tab" if is_tab else ""
        raise ConfigurationError(f"{path}{line}: {error.problem}{hint}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        cause = " ".join(str(error).split())
        raise ConfigurationError(f"{path} is no YAML in UTF-8: {cause}") from error
    except OmegaConfBaseException as error:
        where, (cause, *_) = f"{path}: {error.full_key or 'a key'}", str(error).splitlines()
        if isinstance(error, GrammarParseError):
            cause = "`${` begins a reference to another value, such as `${name}`; this one is wrong"
        raise ConfigurationError(f"{where}: {cause}") from error
    except OSError as error:
        if error.errno is None:  # OmegaConf found a value of another type
            raise ConfigurationError(f"{path} holds no mapping of keys to values") from error
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(loaded, DictConfig):
        raise ConfigurationError(f"{path} holds a list, not a mapping of keys to values")
    _check_keys(loaded, path)
    return plain(loaded)


def _check_keys(loaded: DictConfig, path: Path) -> None:
    for key in loaded:
        if not isinstance(key, str):
            raise ConfigurationError(f"{path}: the key {key!r} must be text: put it in quotes")


def plain(config: DictConfig) -> dict[str, Any]:
    """A configuration as nested dictionaries; interpolations are not resolved."""
    found: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    return found


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with its interpolations resolved.

    Raises:
        OmegaConfBaseException: If an interpolation names nothing.
    """
    OmegaConf.resolve(whole := OmegaConf.create(config))
    return plain(whole)


def read_folder(folder: Path, patterns: Iterable[str], *, nested: bool) -> dict[Path, Any]:
    """The mappings in the files of an environment that fit one of Kedro's patterns, by file.

    Args:
        folder: Folder of the environment.
        patterns: Patterns of file names, as in `CONFIG_LOADER_ARGS`.
        nested: Whether two files may share a key as long as the keys below it differ.

    Raises:
        ConfigurationError: If a file is damaged, or two files hold the same key.
    """
    shown = _visible(folder, _matching(folder, patterns))
    files = {path: read_yaml(path) for path in sorted(shown) if path.suffix in _SUFFIXES}
    keys = {path: set(flatten(file) if nested else file) for path, file in files.items()}
    for first, second in combinations(files, 2):
        if both := sorted(key for key in keys[first] & keys[second] if key[:1] != "_"):
            raise ConfigurationError(
                f"{first} and {second} both set {', '.join(both[:3])}: remove it from one of them"
            )
    return files


def unread_files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """The YAML files of an environment whose names fit none of Kedro's patterns."""
    found = {path for path in folder.rglob("*.y*ml") if path.is_file()}
    return sorted(_visible(folder, found - _matching(folder, patterns)))


def _matching(folder: Path, patterns: Iterable[str]) -> set[Path]:
    # `**` at the end of a pattern means files to Kedro, but folders to pathlib.
    globs = [f"{pattern}/*" if pattern.endswith("**") else pattern for pattern in patterns]
    return {path for pattern in globs for path in folder.glob(pattern) if path.is_file()}


def _visible(folder: Path, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if not any(p[0] == "." for p in path.relative_to(folder).parts)]


def local_folder(source: str, owner: object) -> Path:
    """Folder with a configuration; an archive or a remote folder is copied first.

    Args:
        source: Folder, archive as `kedro package` makes it, or address such as `s3://bucket/conf`.
        owner: A copy is deleted with this object.

    Raises:
        ConfigurationError: If the archive or the remote folder cannot be read.
    """
    is_remote = "://" in source
    if not is_remote and not Path(source).is_file():
        return Path(source)
    copy = Path(tempfile.mkdtemp(prefix="conf-"))
    weakref.finalize(owner, shutil.rmtree, copy, ignore_errors=True)
    try:
        if is_remote:
            files, path = fsspec.url_to_fs(source)
            files.get(path, str(copy), recursive=True)
        elif zipfile.is_zipfile(source) or not hasattr(tarfile, "data_filter"):
            shutil.unpack_archive(source, copy)  # Python before 3.11.4 has no filters
        else:
            shutil.unpack_archive(source, copy, filter="data")
    except (OSError, ValueError, ImportError, shutil.ReadError) as error:
        raise ConfigurationError(f"the configuration {source} cannot be read: {error}") from error
    inner = list(copy.iterdir())  # an archive holds one folder
    return inner[0] if len(inner) == 1 and not (copy / "base").is_dir() else copy
