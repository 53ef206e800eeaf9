"""Events as of a street, at any rate, in a file that is read in packets again and again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

EVENT_DTYPE = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])

PACKET_US = 2_000
"""Time between two packets, as cameras send them, in microseconds."""

_PERIOD_US = 500_000
_NUM_EDGES = 40
_EDGE_PX = 8, 40
"""Spread of the events of an edge across and along it, in px."""
_SLOWEST_PX_PER_S = 60
_NUM_SPEEDS = 5
_NOISE = 0.2
"""Share of events that belong to no edge."""

Packet = npt.NDArray[np.void]


@dataclass(frozen=True)
class Street:
    """A file of events, of which all packets have the same number.

    Attributes:
        path: The file.
        per_packet: Events of a packet.
    """

    path: Path
    per_packet: int

    def packets(self, number: int) -> Iterator[Packet]:
        """So many packets, read one by one; after the last one of the file, its first follows.

        Times go on. Packet k holds events from `k * PACKET_US` to before `(k + 1) * PACKET_US`.
        """
        num_bytes = self.per_packet * EVENT_DTYPE.itemsize
        in_file = _PERIOD_US // PACKET_US
        with self.path.open("rb") as file:
            for index in range(number):
                turn, place = divmod(index, in_file)
                if place == 0:
                    file.seek(0)
                packet = np.frombuffer(bytearray(file.read(num_bytes)), EVENT_DTYPE)
                packet["t"] += turn * _PERIOD_US
                yield packet


def write_street(path: Path, events_per_s: float, height: int, width: int) -> Street:
    """Write events of edges that drift over a sensor of `height` x `width` px, and of noise.

    Args:
        path: The file to write.
        events_per_s: Events per second; the same number in every packet, at least one.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
    """
    rng = np.random.default_rng(0)
    per_packet = max(1, round(events_per_s * PACKET_US / 1e6))
    centres = rng.uniform((0, 0), (height, width), (_NUM_EDGES, 2))
    with path.open("wb") as file:
        for start_us in range(0, _PERIOD_US, PACKET_US):
            packet = np.empty(per_packet, EVENT_DTYPE)
            packet["t"] = start_us + np.sort(rng.integers(0, PACKET_US, per_packet))
            y, x = _places(rng, centres, packet["t"] / 1e6)
            is_noise = rng.random(per_packet) < _NOISE
            y[is_noise] = rng.uniform(0, height, is_noise.sum())
            x[is_noise] = rng.uniform(0, width, is_noise.sum())
            packet["y"], packet["x"] = np.floor(y) % height, np.floor(x) % width
            packet["p"] = rng.integers(0, 2, per_packet)
            file.write(packet.tobytes())
    return Street(path, per_packet)


def _places(
    rng: np.random.Generator, centres: npt.NDArray[np.float64], times_s: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Row and column of one event of an edge at each time, in px, beyond the sensor too."""
    edge = rng.integers(0, _NUM_EDGES, len(times_s))
    across, along = _EDGE_PX
    y = centres[edge, 0] + rng.normal(0, along, len(edge))
    drift = _SLOWEST_PX_PER_S * (1 + edge % _NUM_SPEEDS) * times_s
    return y, centres[edge, 1] + drift + rng.normal(0, across, len(edge))
