"""What of a recording was observed."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Observed:
    """Sensor and time of a recording that was searched for road users.

    Attributes:
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.
        start_us: Start of the first window, in microseconds.
        stop_us: End of the last window, in microseconds.
        started_at: Clock time of time zero; None if unknown.
    """

    width: int
    height: int
    start_us: int
    stop_us: int
    started_at: datetime | None = None
