"""Imports every module of the package, each in a process that has seen no other of them.

Processes are copies of one that has what others wrote loaded already, which takes most of the time.
"""

import os
import sys
import traceback
from importlib import import_module


def main(foreign: list[str], modules: list[str]) -> None:
    """Import each of `modules` alone, after all of `foreign`; say which cannot be imported."""
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
