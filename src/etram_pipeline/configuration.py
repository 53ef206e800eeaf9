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
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from typing_extensions import override

from etram_pipeline.core.component import kinds, unknown_name
from etram_pipeline.core.errors import EtramError

FOLDERS = ("data", "results")
"""Globals that one run may change: where everything is kept, and what a detector comes to."""

RUN_OPTIONS = (
    *("preset", "executor", "track", "run_name", "run_id", "recording", "checkpoint"),
    *FOLDERS,
)
"""Runtime parameters that are not parameters of a pipeline: `kedro run --params preset=…`."""

_EXECUTORS = "etram_pipeline.sequences.executors"


class ConfigurationError(EtramError):
    """The configuration names something that does not exist."""


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader with presets, and with a merge that knows `kind`."""

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
            _refuse_unknown(_plain(layer), known, f" in {path}")
            merged = merge(merged, _plain(layer))
        _refuse_unknown(runtime, known, "")
        self._refuse_unused(runtime)
        asked = {key: value for key, value in runtime.items() if key not in RUN_OPTIONS}
        OmegaConf.resolve(final := OmegaConf.create(merge(merged, asked)))
        return _plain(final)

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
        OmegaConf.resolve(final := OmegaConf.create(merged))
        return _plain(final)

    def _executor(self, name: str) -> dict[str, Any]:
        executors: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in kinds(_EXECUTORS)}
        for path in sorted(Path(self.conf_source).glob("*/globals*.yml")):
            loaded = OmegaConf.load(path)
            if isinstance(loaded, DictConfig) and "executor" in loaded:
                executors[path.parent.name] = _plain(loaded)["executor"]
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
        folder = Path(self.conf_source) / "presets"
        presets = sorted(path.stem for path in folder.glob("*.yml"))
        if name not in presets:
            raise ConfigurationError(f"{folder}: {unknown_name('preset', name, presets)}")
        loaded = OmegaConf.load(folder / f"{name}.yml")
        if not isinstance(loaded, DictConfig):
            raise ConfigurationError(f"{folder / name}.yml holds a list, not parameters")
        return folder / f"{name}.yml", loaded


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """`lower` with the values of `upper`, mappings merged unless `upper` chooses another kind."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            other_kind = "kind" in value and value["kind"] != below.get("kind")
            merged[key] = dict(value) if other_kind else merge(below, value)
        else:
            merged[key] = value
    return merged


def _refuse_unknown(layer: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in layer:
        if key not in known:
            raise ConfigurationError(unknown_name(f"parameter{where}", key, known))


def _plain(config: DictConfig) -> dict[str, Any]:
    plain: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    return plain
