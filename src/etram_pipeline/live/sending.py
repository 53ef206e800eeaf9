"""A recording played to another program or computer."""

from pathlib import Path

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import SettingsError, SourceError
from etram_pipeline.live.outputs import Tell
from etram_pipeline.live.sources import SourceName
from etram_pipeline.live.stopping import StoppedError, Stopping
from etram_pipeline.streaming.sources.recording import RecordingSource


def send(
    recording: Path,
    receiver: SourceName,
    speed: float | None,
    sensor_size: tuple[int, int] | None,
    tell: Tell,
) -> int | None:
    """Play a recording to its end, or until a signal comes.

    Args:
        recording: File of the recording.
        receiver: Where to.
        speed: How many times faster than it was recorded; None: as fast as it can be read.
        sensor_size: Height and width of the sensor in px, if the file does not tell.
        tell: Says a line to the user.

    Returns:
        Number of the signal that ended it; None at the end of the recording.

    Raises:
        EtramError: If the recording cannot be read, the receiver is none, or it does not listen.
    """
    address = receiver.address
    if address is None:
        raise SettingsError(f"{receiver.text} is no receiver: give udp://HOST:PORT or tcp://…")
    if speed is None and receiver.kind == "udp":
        raise SettingsError(
            "by UDP, what comes faster than it is read is lost: give --speed, or send to tcp://…"
        )
    source = RecordingSource(recording, speed=speed, size=sensor_size)
    from etram_pipeline.streaming.sources.tcp import send_tcp
    from etram_pipeline.streaming.sources.udp import send_udp

    send_all = send_udp if receiver.kind == "udp" else send_tcp
    with Stopping() as stopping:
        try:
            number = send_all(source, address.port, address.host, size=source.size)
        except StoppedError:
            tell("stopped")
        except OSError as error:
            raise SourceError(
                f"{receiver.text} does not take events ({error.strerror or error}): start the "
                "receiver first"
            ) from error
        else:
            tell(f"{counted(number, 'packet')} sent")
        return stopping.received
