"""Boxes as lines of JSON."""

from io import TextIOBase

from typing_extensions import override

from etram_pipeline.live.output import Output
from etram_pipeline.live.window import ShownWindow


class JsonLines(Output):
    """Writes one line for each window, as `WindowLine` describes it, when the window is known."""

    def __init__(self, file: TextIOBase, *, owned: bool) -> None:
        """Write to an open file.

        Args:
            file: Where to write to.
            owned: Whether to close it at the end.
        """
        self._file, self._owned = file, owned

    @override
    def show(self, window: ShownWindow) -> None:
        self._file.write(window.line.model_dump_json() + "\n")
        # Whoever reads along waits for this line, not for a full buffer.
        self._file.flush()

    @override
    def close(self) -> None:
        if self._owned:
            self._file.close()
