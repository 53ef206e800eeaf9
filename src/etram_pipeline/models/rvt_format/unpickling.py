"""Reading tensors from files without executing other pickled content."""

import logging
import pickle
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import torch
from typing_extensions import override

from etram_pipeline.core.errors import CheckpointError

logger = logging.getLogger(__name__)

_LONGEST_BEGINNING = 64
_OTHERS = {
    b"version https://git-lfs": "but is a pointer of Git LFS: fetch the file by `git lfs pull`",
    b"<": "but begins as a web page does, perhaps an error message of a download: fetch it again",
}
"""First bytes of files that are mistaken for checkpoints, and what these files are."""

_TRUSTED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}


def load_tensors(path: Path) -> dict[Any, Any]:
    """The mapping saved in `path` by `torch.save`, with its tensors on the CPU.

    Nothing in the file is executed: objects other than tensors and plain data are replaced by
    `Unread`, so that a checkpoint opens without the program that wrote it.

    Raises:
        CheckpointError: If there is no such file, or it is damaged, or holds no mapping.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint at {path}")
    try:
        content = _load(path)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as a PyTorch checkpoint, {_reason(path, error)}"
        ) from error
    if isinstance(content, Unread):
        raise CheckpointError(
            f"{path} holds an object of a class that is not loaded, such as a whole module; save "
            "its `state_dict()` instead"
        )
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def _reason(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        beginning = file.read(_LONGEST_BEGINNING).lstrip()
    if not beginning:
        return "because it is empty: fetch it again"
    for signature, reason in _OTHERS.items():
        if beginning.startswith(signature):
            return reason
    if "TorchScript" in str(error):
        return "but as a TorchScript program: save the `state_dict()` of the module instead"
    told = "" if isinstance(error, LookupError) else " ".join(str(error).split())
    told = told or "its content is not one"
    told, _, _ = told.partition(". ")  # PyTorch's advice follows
    return f"it may be incomplete ({told}): fetch it again, or train again"


class Unread:
    """Stands for an object of a class that is not loaded."""

    def __init__(self, *_args: object, **_named: object) -> None: ...

    def __call__(self, *_args: object, **_named: object) -> "Unread":
        """Stand-in for the result of a function that is not loaded."""
        return Unread()

    def __setstate__(self, _state: object) -> None: ...

    def __setitem__(self, _key: object, _value: object) -> None: ...

    def append(self, _item: object) -> None:
        """Ignore an item of a list that is not loaded."""


class _TensorUnpickler(pickle.Unpickler):
    @override
    def find_class(self, module: str, name: str) -> Any:
        return _TRUSTED.get((module, name), Unread)


def _load(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        logger.debug("reading %s without foreign objects: %s", path, error)
        return torch.load(
            path, map_location="cpu", weights_only=False, pickle_module=_tensor_pickle()
        )


def _tensor_pickle() -> ModuleType:
    """`pickle`, reduced to what `torch.load` uses of it and to tensors."""

    def load(file: BinaryIO, **options: Any) -> object:  # noqa: ANN401, as `pickle.load`
        return _TensorUnpickler(file, **options).load()

    module = ModuleType("tensor_pickle")
    module.Unpickler = _TensorUnpickler  # type: ignore[attr-defined]
    module.load = load  # type: ignore[attr-defined]
    return module
