"""Runs the packaged project: `python -m etram_pipeline --conf-source …`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(arguments: Sequence[str] | None = None) -> None:
    """`kedro run` with `arguments`, without a project folder."""
    package = Path(__file__).parent.name
    configure_project(package)
    find_run_command(package)(args=arguments, prog_name=package)


if __name__ == "__main__":
    main(sys.argv[1:])
