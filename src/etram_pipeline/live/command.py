"""The commands `etram-live DETECTOR SOURCE` and `etram-live send RECORDING ADDRESS`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.installation import check_installation
from etram_pipeline.live.check import check_detector
from etram_pipeline.live.detecting import detect
from etram_pipeline.live.outputs import check_outputs
from etram_pipeline.live.page_access import parse_address
from etram_pipeline.live.sending import send
from etram_pipeline.live.sources import parse_source
from etram_pipeline.live.wishes import STDOUT, Wishes
from etram_pipeline.streaming.model import ExportedModel

NAME = "etram-live"
_SEND = "send"
_SIGNALLED = 128
"""Exit code of programs that a signal ends, beside its number."""

_FILE = click.Path(dir_okay=False, path_type=Path)


_speed = click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times faster than it was recorded a recording is played.",
)
_at_once = click.option(
    "--as-fast-as-possible", is_flag=True, help="Do not play the recording, but read it at once."
)
_sensor_size = click.option(
    "--sensor-size", metavar="WIDTHxHEIGHT", help="Of the sensor, if the source does not tell."
)


@click.command(
    NAME, epilog=f"`{NAME} {_SEND} --help` tells how to play a recording to another one."
)
@click.argument("detector", type=_FILE)
@click.argument("source", required=False)
@_speed
@_at_once
@_sensor_size
@click.option(
    "--json", metavar="FILE", help=f"Write a line for each window; {STDOUT}: to standard output."
)
@click.option("--page", metavar="[HOST:]PORT", help="Show boxes over events in browsers.")
@click.option("--video", type=_FILE, metavar="FILE", help="Write an MP4 with boxes and trails.")
@click.option(
    "--when-slow",
    type=click.Choice(["newest", "wait", "fail"]),
    help="If the detector is too slow: leave out the oldest windows, let the source wait, or end "
    "with an error. By default, recordings wait when read at once; all else is newest.",
)
@click.option(
    "--room",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Windows that may wait for the detector.",
)
@click.option(
    "--score",
    type=click.FloatRange(0, 1),
    help="Least score of a box. By default the one that was best in validation.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads that compute one window.",
)
@click.option("--no-tracks", is_flag=True, help="Do not follow boxes from window to window.")
@click.option("--check", is_flag=True, help="Only check and time the detector on this computer.")
@click.pass_context
def live(
    context: click.Context,
    /,
    detector: Path,
    source: str | None,
    **options: Any,  # noqa: ANN401  # as the decorators say
) -> None:
    """Detect road users in the events of SOURCE with an exported DETECTOR.

    SOURCE is a recording, `udp://HOST:PORT` or `tcp://HOST:PORT` to listen at, or a camera:
    `metavision:` or `inivation:`, which a serial number may follow.

    Lines of JSON go to standard output unless a file, page or video is asked for.
    """
    if options["check"]:
        for line in check_detector(ExportedModel(detector, threads=options["threads"])):
            click.echo(line)
        return
    if source is None:
        raise click.UsageError("give a SOURCE, or --check")
    wishes = _wishes(source, options)
    check_outputs(wishes, detector)
    model = ExportedModel(detector, threads=options["threads"])
    signal_number = detect(model, wishes, _tell)
    if signal_number is not None:
        context.exit(_SIGNALLED + signal_number)


def _wishes(source: str, options: dict[str, Any]) -> Wishes:
    name = parse_source(source)
    at_once = options["as_fast_as_possible"]
    if name.kind != "recording" and (at_once or options["speed"] != 1):
        raise click.UsageError(
            "--speed and --as-fast-as-possible are for recordings; this source has its own speed"
        )
    is_shown = options["page"] is not None or options["video"] is not None
    return Wishes(
        source=name,
        speed=None if at_once else options["speed"],
        sensor_size=_size(options["sensor_size"]),
        json=options["json"] or (None if is_shown else STDOUT),
        page=None if options["page"] is None else parse_address(options["page"]),
        video=options["video"],
        when_slow=options["when_slow"] or ("wait" if at_once else "newest"),
        room=options["room"],
        score=options["score"],
        has_tracks=not options["no_tracks"],
    )


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width, from `WIDTHxHEIGHT`."""
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.UsageError(f"--sensor-size is {text!r}, which is no size such as 1280x720")
    return int(height), int(width)


@click.command(f"{NAME} {_SEND}")
@click.argument("recording", type=_FILE)
@click.argument("address")
@_speed
@_at_once
@_sensor_size
@click.pass_context
def play(
    context: click.Context,
    /,
    recording: Path,
    address: str,
    **options: Any,  # noqa: ANN401  # as the decorators say
) -> None:
    """Play a RECORDING to an `etram-live` that listens at ADDRESS.

    ADDRESS is `udp://HOST:PORT` or `tcp://HOST:PORT`.
    """
    speed = None if options["as_fast_as_possible"] else options["speed"]
    size = _size(options["sensor_size"])
    signal_number = send(recording, parse_source(address), speed, size, _tell)
    if signal_number is not None:
        context.exit(_SIGNALLED + signal_number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; an error is one line on standard error.

    Exit codes: 0 at the end of the source; 1 after an error; 2 if the command line is wrong; 128
    and the number of the signal that ended it, such as 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = live
    if given[:1] == [_SEND]:
        command, given = play, given[1:]
    try:
        check_installation()
        code = command.main(given, prog_name=command.name, standalone_mode=False)
    except click.ClickException as error:
        _tell(f"Error: {error.format_message()}")
        code = error.exit_code
    except (EtramError, OSError) as error:
        _tell(f"Error: {error}")
        code = 1
    except click.Abort:
        _tell("stopped")
        code = _SIGNALLED + 2
    sys.exit(code)


def _tell(line: str) -> None:
    click.echo(line, err=True)
