"""Checks for the optional library transformers, and silences its log."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from etram_pipeline.core.errors import SettingsError

INSTALL = "pip install -e '.[detr]'"


def require_transformers(kind: str) -> None:
    """Check that a detector's library is installed, and silence its log.

    Args:
        kind: Detector that needs it.

    Raises:
        SettingsError: If it is not installed, too old, or cannot be imported.
    """
    if find_spec("transformers") is None:
        raise SettingsError(
            f"detector.kind {kind} needs transformers, which is not installed: {INSTALL}"
        )
    try:
        import transformers
        from transformers.utils import logging

        log: Any = logging
        log.set_verbosity_error()
        log.disable_progress_bar()
        is_old = not hasattr(transformers, "RfDetrConfig")
    except Exception as error:  # other packages' faults, such as an older numpy, show here
        cause = next(iter(str(error).split("\n")), "")
        raise SettingsError(
            f"detector.kind {kind} needs transformers, which is installed but cannot be imported "
            f"({cause}): pip install --force-reinstall transformers"
        ) from error
    if is_old:
        raise SettingsError(
            f"detector.kind {kind} needs transformers 5.23 or newer, but "
            f"{transformers.__version__} is installed: {INSTALL}"
        )


@contextmanager
def free_lengths(module: ModuleType) -> Iterator[None]:
    """While a detector is exported, let a module of transformers take the length of any tensor.

    Python's `len` would make a constant of a free number of lanes.
    """
    if not torch.compiler.is_compiling():
        yield
        return
    vars(module)["len"] = _length
    try:
        yield
    finally:
        del vars(module)["len"]


def _length(value: Any) -> Any:  # noqa: ANN401
    return value.shape[0] if isinstance(value, torch.Tensor) else len(value)
