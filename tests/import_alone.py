"""Imports every module of the package, each in a process that has seen no other of them.

Processes are copies of one that has what others wrote loaded already, which takes most of the time.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from types import ModuleType

from typing_extensions import override


class _Missing(MetaPathFinder):
    """Finds nothing else than what is installed where some packages are not."""

    def __init__(self, missing: Sequence[str]) -> None:
        self._missing = frozenset(missing)

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Refuse a missing package or module.

        Raises:
            ModuleNotFoundError: If the module or a package that holds it is missing.
        """
        parts = fullname.split(".")
        if any(".".join(parts[: i + 1]) in self._missing for i in range(len(parts))):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main(foreign: list[str], modules: list[str], missing: Sequence[str] = ()) -> None:
    """Import each of `modules` alone, after all of `foreign`; say which cannot be imported.

    Args:
        foreign: Modules of others that are imported first.
        modules: Modules of the package.
        missing: Packages and modules that are to be missing, as where they are not installed.
    """
    sys.meta_path.insert(0, _Missing(missing))
    for name in foreign:
        import_module(name)
    if any(name.partition(".")[0] == "etram_pipeline" for name in sys.modules):
        raise RuntimeError("a library has imported the package")
    for name in modules:
        if (process := os.fork()) == 0:
            os._exit(_try(name))
        if os.waitpid(process, 0)[1]:
            sys.stdout.write(f"{name}\n")


def _try(name: str) -> int:
    try:
        import_module(name)
    except BaseException:  # noqa: BLE001  whatever a module does, the others are to be tried
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(*(part.split(",") for part in sys.argv[1:]))
