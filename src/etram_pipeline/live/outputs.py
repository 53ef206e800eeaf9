"""The outputs that a user asked for."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import TextIOBase
from pathlib import Path
from typing import TYPE_CHECKING, cast

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.live.json_lines import JsonLines
from etram_pipeline.live.output import Output
from etram_pipeline.live.stage import Stage
from etram_pipeline.live.window import ShownWindow
from etram_pipeline.live.wishes import STDOUT, Wishes

if TYPE_CHECKING:
    from etram_pipeline.live.video import VideoFile

Tell = Callable[[str], None]
"""Says a line to the user."""


def open_outputs(wishes: Wishes, stage: Stage, tell: Tell, opened: ExitStack) -> list[Output]:
    """Open all outputs.

    Args:
        wishes: Which ones.
        stage: What is the same in all windows.
        tell: Says a line to the user.
        opened: Closes them.

    Raises:
        SettingsError: If one cannot be opened.
    """
    outputs: list[Output] = []
    if wishes.json is not None:
        outputs.append(_open_lines(wishes.json))
        opened.callback(outputs[-1].close)
    if wishes.page is not None:
        from etram_pipeline.live.page import Page

        page = Page(wishes.page, stage)
        opened.callback(page.close)
        outputs.append(page)
        tell(f"page: http://{page.address}/")
        if not page.address.is_loopback:
            tell("warning: whoever reaches this computer can watch the page; it has no password")
    if wishes.video is not None:
        from etram_pipeline.live.video import VideoFile

        video = VideoFile(wishes.video, stage, waits=wishes.when_slow == "wait")
        opened.callback(_close_video, video, wishes.video, tell)
        outputs.append(video)
    return outputs


def check_outputs(wishes: Wishes, detector: Path) -> None:
    """Raise an error before an output replaces what is read, or another output.

    Args:
        wishes: Source and outputs.
        detector: File of the detector.

    Raises:
        SettingsError: If a file of an output is that of the detector, of the recording or of
            another output.
    """
    taken = {detector.resolve(): "the detector"}
    if wishes.source.kind == "recording":
        taken[Path(wishes.source.place).resolve()] = "the recording"
    lines = None if wishes.json in {None, STDOUT} else wishes.json
    for option, output in (("--json", lines), ("--video", wishes.video)):
        if output is None:
            continue
        place = Path(output).resolve()
        if place in taken:
            raise SettingsError(
                f"{option} {output} would replace {taken[place]}: give another file"
            )
        taken[place] = f"what {option} writes"


def _close_video(video: "VideoFile", path: Path, tell: Tell) -> None:
    video.close()
    if video.num_missed:
        missed = counted(video.num_missed, "window")
        tell(f"{path}: {missed} not drawn, since there was no time for them")


def show(outputs: Sequence[Output], window: ShownWindow) -> bool:
    """Show a window everywhere; False if whoever read the standard output has gone."""
    for output in outputs:
        try:
            output.show(window)
        except BrokenPipeError:
            # Else Python complains at its end that it cannot write what is left.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return False
    return True


def _open_lines(name: str) -> JsonLines:
    if name == STDOUT:
        return JsonLines(cast("TextIOBase", sys.stdout), owned=False)
    try:
        file = Path(name).open("w", encoding="utf-8")  # noqa: SIM115  # closed with the outputs
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"the lines cannot be written to {name} ({reason}): give another file"
        ) from error
    return JsonLines(file, owned=True)
