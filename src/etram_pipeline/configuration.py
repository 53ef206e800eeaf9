"""How configuration files become parameters: environments, presets and command line.

Environments choose the data and the scale, a preset chooses the experiment. Parameters are
merged in the order `conf/base`, environment, `conf/presets/<preset>.yml`, command line. A mapping
is merged key by key, except that another `kind` replaces it as a whole: the keys of the former part
would be unknown keys of the new one. Globals are merged in the same way. `executor` on the command
line selects the executor of another environment, or a kind that needs no other settings;
`executor.workers=…` changes one key of it. `data=…` and `results=…` on the command line move the
folders of one run.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf.errors import OmegaConfBaseException
from typing_extensions import override

from etram_pipeline.core.component import kinds, nearest, unknown_name
from etram_pipeline.core.mappings import merge, paths_to
from etram_pipeline.core.validation_errors import shown
from etram_pipeline.yaml_files import (
    ConfigurationError,
    local_folder,
    read_folder,
    read_yaml,
    resolved,
    unread_files,
)

FOLDERS = ("data", "results")
"""Globals that one run may change: the folder of everything, and that of detectors and results."""

RUN_OPTIONS = (
    *("preset", "executor", "mlflow", "run_name", "run_id", "recording", "preprocessed"),
    *("checkpoint", "detections", "detections_images", "site"),
    *FOLDERS,
)
"""Runtime parameters that are not parameters of a pipeline: `kedro run --params preset=…`."""

TEXT_OPTIONS = tuple(option for option in RUN_OPTIONS if option != "mlflow")
"""Runtime parameters that are text, even if they look like numbers."""

_PRESETS, _EXPERIMENTS = "presets", "experiments"
_EXECUTORS = "etram_pipeline.builds.executors"


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader with presets, and with a merge that respects `kind`.

    Parameters and globals are read and merged here. Kedro resolves interpolations in each
    environment before it merges them, so `results: ${data}` of `base` would ignore the `data` of
    another environment.
    """

    def __init__(
        self,
        conf_source: str,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **options: Any,  # noqa: ANN401  # Kedro's own
    ) -> None:
        conf = local_folder(str(conf_source), self)
        _check_environment(conf, env or options.get("default_run_env"))
        self._layers: dict[str, list[dict[Path, Any]]] = {}
        super().__init__(str(conf), env, _with_texts(runtime_params or {}), **options)
        self._refuse_unread_files()

    @override
    def __getitem__(self, key: str) -> dict[str, Any]:
        try:
            found = self._read(key)
        except OmegaConfBaseException as error:
            self._read_layers(key)  # names the file
            where = getattr(error, "full_key", None)
            cause = str(error).splitlines()[0]
            raise ConfigurationError(f"{key}{f' at {where}' if where else ''}: {cause}") from error
        except (yaml.YAMLError, ValueError, OSError):
            self._read_layers(key)  # Kedro names no file in most of its messages
            raise
        except (AttributeError, TypeError) as error:
            self._read_layers(key)
            raise ConfigurationError(
                f"{key}: the files of `base` and of the environment cannot be merged: keys must be "
                f"text, and hold the same kind of value, such as a mapping, in both ({error})"
            ) from error
        return _from_home(found) if key == "catalog" else found

    def _read(self, key: str) -> dict[str, Any]:
        if key == "globals" and key not in self:
            self[key] = self._merge_globals()
        if key == "parameters":
            super().__getitem__("globals")  # registers the resolvers of this loader
            return resolved(self._merge_parameters())
        found: dict[str, Any] = super().__getitem__(key)
        return found

    def asked(self) -> dict[str, Any]:
        """Parameters that environment, preset and command line set, without the defaults."""
        _, layers = self._read_layers("parameters")
        runtime = dict(self.runtime_params)
        asked: dict[str, Any] = {}
        for layer in [*layers.values(), self._preset(runtime)[1], runtime]:
            asked = merge(asked, layer)
        return {key: value for key, value in asked.items() if key not in RUN_OPTIONS}

    def _read_layers(self, key: str) -> list[dict[Path, Any]]:
        """Files of `base` and of the environment, which holds none if it is `base` itself."""
        if key not in self._layers:
            env = self.env or self.default_run_env
            folders = [self.base_env, *([env] if env != self.base_env else [])]
            found = [
                read_folder(
                    Path(self.conf_source) / folder,
                    self.config_patterns[key],
                    nested=key == "parameters",
                )
                for folder in folders
            ]
            self._layers[key] = [*found, {}][:2]
        return self._layers[key]

    def _merge_parameters(self) -> dict[str, Any]:
        base, env = self._read_layers("parameters")
        runtime = dict(self.runtime_params)
        merged: dict[str, Any] = {}
        for layer in base.values():
            merged = merge(merged, layer)
        known = [*merged, *RUN_OPTIONS]
        for path, layer in [*env.items(), self._preset(runtime)]:
            _refuse_unknown(layer, known, merged, f"{path}: ")
            merged = merge(merged, layer)
        _refuse_unknown(runtime, known, merged)
        self._refuse_unused(runtime)
        asked = {key: value for key, value in runtime.items() if key not in RUN_OPTIONS}
        return merge(merged, asked)

    def _merge_globals(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layers in self._read_layers("globals"):
            for layer in layers.values():
                merged = merge(merged, layer)
        runtime = self.runtime_params
        asked = runtime.get("executor")
        if isinstance(asked, Mapping):
            merged = merge(merged, {"executor": asked})
        elif asked is not None:
            merged["executor"] = self._executor(asked)
        merged |= {name: runtime[name] for name in FOLDERS if name in runtime}
        self._refuse_unread(merged)
        final = resolved(merged)
        for name in FOLDERS:
            folder = final.get(name, ".")
            if not isinstance(folder, str) or folder.strip() in {"", "null", "~"}:
                raise ConfigurationError(
                    f"`{name}` must be the path of a folder, not {shown(folder)}: "
                    "name one, or leave it out"
                )
        return final

    def _refuse_unread(self, merged: Mapping[str, Any]) -> None:
        """Refuse globals that no file reads: misspelt, they would leave data in another folder."""
        files = Path(self.conf_source).rglob("*.y*ml")
        # Editors leave links that lead nowhere beside open files.
        texts = [path.read_text(errors="replace") for path in files if path.is_file()]
        known = [*FOLDERS, "executor"]
        for key in merged:
            if texts and key not in known and not any(f"globals:{key}" in text for text in texts):
                raise ConfigurationError(f"globals: {unknown_name('key', key, known)}")

    def _refuse_unread_files(self) -> None:
        """Refuse files whose names Kedro does not look for: their settings would have no effect."""
        patterns = [pattern for found in self.config_patterns.values() for pattern in found]
        for env in {self.base_env, self.env or self.default_run_env}:
            for path in unread_files(Path(self.conf_source) / env, patterns):
                kinds_of_files = ", ".join(sorted(self.config_patterns))
                raise ConfigurationError(
                    f"{path} is not read: names of configuration files begin with one of "
                    f"{kinds_of_files}; rename it, or move it out of the folder"
                )

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
        if "recording" in runtime and "runtime_params:recording" not in str(
            self._read_layers("catalog")
        ):
            raise ConfigurationError(
                f"`recording={runtime['recording']}` is not read here: add `--env recording`, or "
                "the environment of a data set, such as `--env etram`"
            )

    def _preset(self, runtime: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        name = runtime.get("preset")
        if name is None:
            return Path(), {}
        folder = Path(self.conf_source) / _PRESETS
        known = presets(Path(self.conf_source))
        if name not in known:
            is_environment = (Path(self.conf_source) / name).is_dir()
            meant = [f"--env {name}"] if name and is_environment else []
            raise ConfigurationError(f"{folder}: {unknown_name('preset', name, known, meant)}")
        path = folder / f"{name}.yml"
        return path, read_yaml(path)


def _with_texts(runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Runtime parameters in which the options that are text are strings, also if given as 7."""
    texts = {
        key: value if value is None or isinstance(value, Mapping) else str(value)
        for key, value in runtime.items()
        if key in TEXT_OPTIONS
    }
    return {**runtime, **texts}


def _check_environment(conf: Path, env: str | None) -> None:
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
    known = [name for name in folders if name not in {_PRESETS, _EXPERIMENTS}]
    if env is not None and env not in known:
        preset = None if nearest(env, known) else nearest(env, presets(conf))
        meant = [f"--params preset={preset}"] if preset else []
        raise ConfigurationError(f"{conf}: {unknown_name('environment', env, known, meant)}")


def presets(conf: Path) -> list[str]:
    """Names of the presets in a configuration folder."""
    return sorted(path.stem for path in (conf / _PRESETS).glob("*.yml"))


def recording_name(path: object) -> str:
    """Name for the results of a recording or of a folder of recordings: `street-3f9a1c`.

    Recordings of the same name in different folders, or in different formats, get different names.
    """
    where = Path(str(path))
    return f"{where.stem}-{sha256(str(where.absolute()).encode()).hexdigest()[:6]}"


def unknown_parameters(
    layer: Mapping[str, Any], known: Collection[str], parameters: Mapping[str, Any]
) -> dict[str, str]:
    """A message for each top-level key that is no parameter, or the former name of an option.

    Args:
        layer: Parameters given by a file or by the command line.
        known: Top-level keys and options that exist.
        parameters: All parameters with their nested keys, one of which may be meant.
    """
    found: dict[str, str] = {}
    if isinstance(layer.get("track"), bool):
        found["track"] = "to run without MLflow, use `mlflow=false`; `track` configures the tracker"
    for key in layer:
        if key not in known:
            meant = " or ".join(sorted(paths_to(key, parameters)))
            found[key] = unknown_name("parameter", key, known, [meant] if meant else [])
    return found


def _refuse_unknown(
    layer: Mapping[str, Any], known: Collection[str], parameters: Mapping[str, Any], where: str = ""
) -> None:
    if messages := unknown_parameters(layer, known, parameters).values():
        raise ConfigurationError("\n".join(f"{where}{message}" for message in messages))


def _from_home(entry: dict[str, Any]) -> dict[str, Any]:
    """A catalog with `~` in its paths replaced; Kedro would look for it in the project folder."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        is_path = key in {"path", "filepath"} and isinstance(value, str) and value[:1] == "~"
        inner = _from_home(value) if isinstance(value, dict) else value
        found[key] = str(Path(value).expanduser()) if is_path else inner
    return found
