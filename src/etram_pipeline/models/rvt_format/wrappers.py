"""Names of weights without the prefixes that wrappers add, in any nesting and order.

`DataParallel` puts `module` before the names of what it wraps, `torch.compile` `_orig_mod`, and
other libraries names of their own; a training script keeps the detector under a name of its choice.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError

_WRAPPERS = {
    "module",
    "_orig_mod",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
}
"""Prefixes that wrappers add, anywhere in a name."""

_ATTRIBUTES = {"mdl", "detector", "model", "net"}
"""What a training script calls its detector, at the beginning of a name."""

_CONTAINERS = (
    *("state_dict", "model_state_dict", "model", "module", "net", "weights", "checkpoint"),
    *("ema_state_dict", "state_dict_ema", "model_ema", "ema"),
)
"""Keys under which a file keeps the weights, averaged ones last; it may also hold nothing else."""


def weights_in(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The weights in what a file holds, under the names they have there."""
    outer = _nested(content)
    inner = [each for mapping in outer for each in _nested(mapping)]
    found = (each for each in [*outer, *inner] if _holds_tensors(each))
    return next(found, content)


def _nested(content: Mapping[Any, Any]) -> list[Mapping[Any, Any]]:
    return [content[key] for key in _CONTAINERS if isinstance(content.get(key), Mapping)]


def _holds_tensors(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(item, Tensor) for item in content.values())


def split_name(name: str) -> tuple[tuple[str, ...], str]:
    """Prefixes of a name, outermost first, and the detector's own name of the weight."""
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    depth = 0
    while depth < len(parts) - 1 and parts[depth] in _ATTRIBUTES:
        depth += 1
    return tuple(parts[:depth]), ".".join(parts[depth:])


def unwrapped(weights: Mapping[Any, object], attribute: str | None = None) -> dict[str, Tensor]:
    """Weights by the detector's own names.

    Args:
        weights: By the names of a file; what is no tensor is left out.
        attribute: What the detector is called, where other modules may have weights too. Names
            without it are left out, unless none has it.

    Raises:
        CheckpointError: If two names stand for one weight.
    """
    tensors = {str(name): item for name, item in weights.items() if isinstance(item, Tensor)}
    split = {name: split_name(name) for name in tensors}
    if any(attribute in around for around, _ in split.values()):
        split = {name: parts for name, parts in split.items() if attribute in parts[0]}
    named = {own: name for name, (_, own) in split.items()}
    if len(named) < len(split):
        first = next(name for name, (_, own) in split.items() if named[own] != name)
        raise CheckpointError(
            f"{len(split) - len(named)} weights are there twice, such as {first} and "
            f"{named[split[first][1]]}; keep those that are meant"
        )
    return {own: tensors[name] for own, name in named.items()}
