"""Where boxes go: lines, a page, a video."""

from abc import ABC, abstractmethod

from etram_pipeline.live.window import ShownWindow


class Output(ABC):
    """Shows one window after another."""

    @abstractmethod
    def show(self, window: ShownWindow) -> None:
        """Show a window.

        Raises:
            OSError: If it cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish; what was shown so far stays readable."""
