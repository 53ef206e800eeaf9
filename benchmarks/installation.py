"""Size of what must be installed to run a detector, by engine."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from etram_pipeline.core.counts import counted

RUNTIME = ("jaxtyping", "numba", "numpy", "pydantic", "typing-extensions")
"""What a stream needs, whatever computes its windows."""

NEEDED = {
    "onnxruntime": (*RUNTIME, "onnxruntime"),
    "openvino": (*RUNTIME, "openvino"),
    "eager, compiled": (*RUNTIME, "torch", "torchvision", "timm", "safetensors", "h5py"),
    "all of the project": ("etram-pipeline",),
}
LARGEST = 4


def print_installations() -> None:
    """Print what the packages of each engine take on the disk, with all that they need."""
    print("\nSize of the installed packages, without Python; PyTorch as it is installed here")
    for name, packages in NEEDED.items():
        sizes = installed_mb(packages)
        largest = sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST]
        shown = ", ".join(f"{package} {size:.0f}" for package, size in largest)
        print(
            f"{name:<20} {sum(sizes.values()):8.0f} MB in {counted(len(sizes), 'package')}: {shown}"
        )


def installed_mb(packages: Iterable[str]) -> dict[str, float]:
    """Size of each package and of all that they need, in MB, as far as they are installed."""
    sizes: dict[str, float] = {}
    left = list(packages)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name in sizes:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # for another system
        files = (Path(str(found.locate_file(file))) for file in found.files or ())
        sizes[name] = sum(map(_size, files)) / 1e6
        left += [_name(each) for each in found.requires or () if "extra ==" not in each]
    return sizes


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() and path.suffix != ".pyc" else 0


def _name(requirement: str) -> str:
    """`pydantic` of `pydantic>=2`."""
    found = re.match(r"[\w.-]+", requirement)
    return found[0] if found else ""
