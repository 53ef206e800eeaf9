"""How configuration files become parameters: environments, presets and command line.

Environments choose the data and the scale, a preset chooses the experiment. Parameters are
merged in the order `conf/base`, environment, `conf/presets/<preset>.yml`, command line. A mapping
is merged key by key, except that another `kind` replaces it whole: leftovers of the former part
would be unknown keys of the new one. Globals are merged likewise; `executor` on the command line
takes the executor of another environment, or one of a kind that needs no more than its name, and
`executor.workers=…` changes a key of it. `data=…` and `results=…` on the command line move the
folders of one run.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from typing_extensions import override

from etram_pipeline.core.component import kinds, nearest, unknown_name
from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.mappings import merge, paths_to
from etram_pipeline.core.validation_errors import shown

FOLDERS = ("data", "results")
"""Globals that one run may change: where everything is kept, and what a detector comes to."""

RUN_OPTIONS = (
    *("preset", "executor", "track", "run_name", "run_id", "recording", "checkpoint"),
    *FOLDERS,
)
"""Runtime parameters that are not parameters of a pipeline: `kedro run --params preset=…`."""

TEXT_OPTIONS = tuple(option for option in RUN_OPTIONS if option != "track")
"""Those that are text, even where it looks like a number."""

_PRESETS = "presets"
_EXECUTORS = "etram_pipeline.builds.executors"


class ConfigurationError(EtramError, click.ClickException):
    """The configuration or the command line names something that does not exist.

    Every command of Kedro prints it as one line, since it is an exception of click, too.
    """

    @override
    def __str__(self) -> str:
        return self.message


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader with presets, and with a merge that knows `kind`."""

    def __init__(
        self,
        conf_source: str,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **options: Any,  # noqa: ANN401  # Kedro's own
    ) -> None:
        _check_environment(Path(conf_source), env or options.get("default_run_env"))
        super().__init__(conf_source, env, runtime_params, **options)

    @override
    def __getitem__(self, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().__getitem__(key)
        except OmegaConfBaseException as error:
            where = getattr(error, "full_key", None)
            told = str(error).splitlines()[0]
            raise ConfigurationError(f"{key}{f' at {where}' if where else ''}: {told}") from error
        return _from_home(found) if key == "catalog" else found

    @override
    def _read_dir_configs(self, conf_path: str, *args: Any, **options: Any) -> dict[Path, Any]:
        try:
            found: dict[Path, Any] = super()._read_dir_configs(conf_path, *args, **options)
        except MissingConfigException:
            raise
        except (yaml.YAMLError, ValueError, AttributeError, OSError) as error:
            # Kedro counts lines from 0, and names no file for most faults.
            for path in sorted(Path(conf_path).rglob("*.y*ml")):
                read_yaml(path)
            if isinstance(error, AttributeError):
                raise
            raise ConfigurationError(str(error).replace("\n", "; ")) from error
        return found

    @override
    def _get_runtime_value(self, variable: str, *default: Any) -> Any:
        if variable in TEXT_OPTIONS and variable in (self.runtime_params or {}):
            value = self.runtime_params[variable]
            return value if isinstance(value, Mapping) else str(value)
        return super()._get_runtime_value(variable, *default)

    @override
    def _resolve_from_raw_config(
        self,
        key: str,
        base_configs: dict[Path, DictConfig],
        env_configs: dict[Path, DictConfig],
        base_path: str,
        env_path: str,
        processed_files: set[Path],
    ) -> dict[str, Any]:
        if key == "globals":
            return self._merge_globals([*base_configs.values(), *env_configs.values()])
        if key != "parameters":
            resolved: dict[str, Any] = super()._resolve_from_raw_config(
                key, base_configs, env_configs, base_path, env_path, processed_files
            )
            return resolved
        runtime = dict(self.runtime_params or {})
        merged: dict[str, Any] = {}
        for layer in base_configs.values():
            merged |= _plain(layer)
        known = [*merged, *RUN_OPTIONS]
        for path, layer in [*env_configs.items(), self._preset(runtime)]:
            _refuse_unknown(_plain(layer), known, merged, f"{path}: ")
            merged = merge(merged, _plain(layer))
        _refuse_unknown(runtime, known, merged)
        self._refuse_unused(runtime)
        asked = {key: value for key, value in runtime.items() if key not in RUN_OPTIONS}
        OmegaConf.resolve(final := OmegaConf.create(merge(merged, asked)))
        return _plain(final)

    def asked(self) -> dict[str, Any]:
        """Parameters that environment, preset and command line name, without all defaults."""
        _, layers, *_ = self._read_raw_config("parameters")
        runtime = dict(self.runtime_params or {})
        asked: dict[str, Any] = {}
        for layer in [*layers.values(), self._preset(runtime)[1], OmegaConf.create(runtime)]:
            asked = merge(asked, _plain(layer))
        return {key: value for key, value in asked.items() if key not in RUN_OPTIONS}

    def _merge_globals(self, layers: Collection[DictConfig]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = merge(merged, _plain(layer))
        runtime = self.runtime_params or {}
        asked = runtime.get("executor")
        if isinstance(asked, Mapping):
            merged = merge(merged, {"executor": asked})
        elif asked is not None:
            merged["executor"] = self._executor(str(asked))
        merged |= {name: str(runtime[name]) for name in FOLDERS if name in runtime}
        self._refuse_unread(merged)
        OmegaConf.resolve(final := OmegaConf.create(merged))
        for name in FOLDERS:
            folder = final.get(name, ".")
            if not isinstance(folder, str) or folder.strip() in {"", "null", "~"}:
                raise ConfigurationError(
                    f"`{name}` must be the path of a folder, not {shown(_plain(final)[name])}: "
                    "name one, or leave it out"
                )
        return _plain(final)

    def _refuse_unread(self, merged: Mapping[str, Any]) -> None:
        """Refuse globals that no file reads: misspelt, they would leave data in another folder."""
        files = Path(self.conf_source).rglob("*.y*ml")
        texts = [path.read_text(errors="replace") for path in files]
        known = [*FOLDERS, "executor"]
        for key in merged:
            if texts and key not in known and not any(f"globals:{key}" in text for text in texts):
                raise ConfigurationError(f"globals: {unknown_name('key', key, known)}")

    def _executor(self, name: str) -> dict[str, Any]:
        executors: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in kinds(_EXECUTORS)}
        for path in sorted(Path(self.conf_source).glob("*/globals*.yml")):
            loaded = read_yaml(path)
            if "executor" in loaded:
                executors[path.parent.name] = loaded["executor"]
        if name not in executors:
            raise ConfigurationError(unknown_name("executor", name, list(executors)))
        return executors[name]

    def _refuse_unused(self, runtime: Mapping[str, Any]) -> None:
        """Refuse a recording that no dataset of the environment would read."""
        if "recording" in runtime:
            base, env, *_ = self._read_raw_config("catalog")
            catalog = "".join(OmegaConf.to_yaml(part) for part in [*base.values(), *env.values()])
            if "runtime_params:recording" not in catalog:
                raise ConfigurationError(
                    f"`recording={runtime['recording']}` is read in the environment `recording` "
                    "only: add `--env recording`"
                )

    def _preset(self, runtime: Mapping[str, Any]) -> tuple[Path, DictConfig]:
        name = runtime.get("preset")
        if name is None:
            return Path(), OmegaConf.create({})
        name = str(name)
        folder = Path(self.conf_source) / _PRESETS
        presets = _presets(Path(self.conf_source))
        if name not in presets:
            is_environment = (Path(self.conf_source) / name).is_dir()
            meant = [f"--env {name}"] if name and is_environment else []
            raise ConfigurationError(f"{folder}: {unknown_name('preset', name, presets, meant)}")
        path = folder / f"{name}.yml"
        return path, OmegaConf.create(read_yaml(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a file holds, interpolations left as they are.

    Raises:
        ConfigurationError: With file and line, if it is no YAML or no mapping.
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
        told = " ".join(str(error).split())
        raise ConfigurationError(f"{path} is no YAML in UTF-8: {told}") from error
    except OSError as error:
        if error.errno is None:  # OmegaConf found a value of another type
            raise ConfigurationError(f"{path} holds no mapping of keys to values") from error
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(loaded, DictConfig):
        raise ConfigurationError(f"{path} holds a list, not a mapping of keys to values")
    return _plain(loaded)


def _check_environment(conf: Path, env: str | None) -> None:
    if "://" in str(conf) or conf.is_file():
        return  # an archive or a remote folder, whose environments Kedro looks up
    if not conf.is_dir():
        raise ConfigurationError(
            f"the folder {conf} with the configuration does not exist: run inside the project, or "
            "name it by `--conf-source`"
        )
    if not (conf / "base").is_dir():
        raise ConfigurationError(
            f"the folder {conf} has no `base`, so it holds no configuration of this project: name "
            "another one by `--conf-source`"
        )
    folders = [each.name for each in conf.iterdir() if each.is_dir() and each.name[0] not in "._"]
    known = [name for name in folders if name != _PRESETS]
    if env is not None and env not in known:
        preset = None if nearest(env, known) else nearest(env, _presets(conf))
        meant = [f"--params preset={preset}"] if preset else []
        raise ConfigurationError(f"{conf}: {unknown_name('environment', env, known, meant)}")


def _presets(conf: Path) -> list[str]:
    return sorted(path.stem for path in (conf / _PRESETS).glob("*.yml"))


def recording_name(path: object) -> str:
    """Name of what is made of a recording or a folder of them: `street-3f9a1c`.

    Recordings of one name in different folders, or in different formats, have different names.
    """
    where = Path(str(path))
    return f"{where.stem}-{sha256(str(where.absolute()).encode()).hexdigest()[:6]}"


def _refuse_unknown(
    layer: Mapping[str, Any], known: Collection[str], parameters: Mapping[str, Any], where: str = ""
) -> None:
    for key in layer:
        if key not in known:
            meant = " or ".join(sorted(paths_to(key, parameters)))
            told = unknown_name("parameter", key, known, [meant] if meant else [])
            raise ConfigurationError(f"{where}{told}")


def _plain(config: DictConfig) -> dict[str, Any]:
    plain: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    return plain


def _from_home(entry: dict[str, Any]) -> dict[str, Any]:
    """A catalog with `~` in its paths replaced; Kedro would look for it in the project folder."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        is_path = key in {"path", "filepath"} and isinstance(value, str) and value[:1] == "~"
        inner = _from_home(value) if isinstance(value, dict) else value
        found[key] = str(Path(value).expanduser()) if is_path else inner
    return found
