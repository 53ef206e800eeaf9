"""One recording after another, in the current process."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Literal

from typing_extensions import override

from etram_pipeline.builds.executors import ExecutorConfig, InlineExecutor


class Config(ExecutorConfig):
    """One recording after another, in the current process, which a debugger can follow."""

    kind: Literal["inline"]

    @override
    @contextmanager
    def open(self) -> Iterator[Executor]:
        yield InlineExecutor()
