"""Reads damaged copies of a recording; run as a program, so that a crash takes nothing else along.

`python -m tests.events.formats.fuzz <recording> <copy> <seed> <number>` reads that many copies,
each damaged in its own way, and prints every one that broke a promise of `Recording`.
"""

import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.recording import open_recording

MOST_CHUNK_EVENTS = 2**20
MOST_MORE_BYTES = 3 * 2**29
MOST_SECONDS = 20
SIZE = 120, 160
"""Height and width of the sensor, for files that do not say them."""
FOREIGN_BEGINNINGS = (
    b"% evt 2.0\n% geometry 160x120\n% end\n",
    b"% format EVT21;endianness=legacy;height=120;width=160\n% end\n",
    b"% evt 3.0\n% geometry 160x120\n% end\n",
    b"% Data file containing CD events.\n% Version 2\n% Height 120\n% Width 160\n\x0c\x08",
    b"\x89HDF\r\n\x1a\n",
    b"#!AER-DAT4.0\r\n",
    b"#!AER-DAT4.0\r\n\xff\xff\xff\xff",
    b"\x93NUMPY\x01\x00v\x00{'descr': [('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '<i2')], ",
    b"\x93NUMPY\x03\x00\xff\xff\xff\xff",
    b"\x93NUMPY\x01\x00\xff\x7f" + b"(" * 32_000,
    b"PK\x03\x04",
    b"# unit: us\n",
    b"# unit: s\n1e9999999999 1 1 1\n",
    b"t_us,x,y,p\n" + b"9" * 5000 + b",",
    b"# unit: ns\n" + b" " * 70_000,
    b"% evt 3.0\n% geometry 1152921504606846976x1\n",
    b"% evt 3.0\n% geometry " + b"9" * 5000 + b"x1\n",
    b"% evt 3.0\n% system_ID " + b"9" * 5000 + b"\n",
    b"%" * 70_000,
)

Damage = Callable[[np.random.Generator, bytearray], bytearray]


def cut_off(rng: np.random.Generator, content: bytearray) -> bytearray:
    return content[: rng.integers(len(content))]


def flip_bytes(rng: np.random.Generator, content: bytearray) -> bytearray:
    for place in _places(rng, content, int(rng.integers(1, 6))):
        content[place] = rng.integers(256)
    return content


def overwrite_with_numbers(rng: np.random.Generator, content: bytearray) -> bytearray:
    """Counts, lengths and places as no file of this size can have them."""
    numbers = (2**60, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, 0, 2**40, 65_536)
    for place in _places(rng, content, 2):
        size = int(rng.choice([2, 4, 8]))
        number = numbers[rng.integers(len(numbers))] & (256**size - 1)
        content[place : place + size] = number.to_bytes(size, "little")
    return content


def blank_out(rng: np.random.Generator, content: bytearray) -> bytearray:
    (place,) = _places(rng, content, 1)
    length = min(int(rng.integers(1, 600)), len(content) - place)
    content[place : place + length] = bytes([rng.choice([0, 255])]) * length
    return content


def shift(rng: np.random.Generator, content: bytearray) -> bytearray:
    """Bytes too many or too few, so that everything after them lies elsewhere."""
    (place,) = _places(rng, content, 1)
    if rng.integers(2):
        return content[:place] + rng.bytes(int(rng.integers(1, 40))) + content[place:]
    return content[:place] + content[place + rng.integers(1, 40) :]


def begin_otherwise(rng: np.random.Generator, content: bytearray) -> bytearray:
    beginning = FOREIGN_BEGINNINGS[rng.integers(len(FOREIGN_BEGINNINGS))]
    return bytearray(beginning) + content[rng.integers(200) :]


def fill_with_noise(rng: np.random.Generator, content: bytearray) -> bytearray:
    """Noise behind what may be a whole header."""
    (place,) = _places(rng, content, 1)
    return content[:place] + rng.bytes(min(len(content) - place, 5000))


KINDS: tuple[Damage, ...] = (
    cut_off,
    flip_bytes,
    flip_bytes,
    overwrite_with_numbers,
    blank_out,
    shift,
    begin_otherwise,
    fill_with_noise,
)


def _places(rng: np.random.Generator, content: bytearray, number: int) -> list[int]:
    """Half of them near the beginning, where headers are."""
    reach = len(content) if rng.integers(2) else min(len(content), 700)
    return [int(place) for place in rng.integers(0, reach, number)]


def damaged_copies(content: bytes, seed: int, number: int) -> Iterator[tuple[str, bytes]]:
    """Copies cut off after each of the first bytes, then `number` damaged at random."""
    for length in range(0, 64, 3):
        yield f"cut_off at {length}", content[:length]
    for trial in range(number):
        rng = np.random.default_rng((seed, trial))
        damage = KINDS[trial % len(KINDS)]
        yield f"{damage.__name__} {trial}", bytes(damage(rng, bytearray(content)))


def fault(path: Path) -> str | None:
    """What is wrong with how a file is read; None if all promises were kept."""
    try:
        recording = open_recording(path, size=SIZE)
        whole = list(checked(recording))
        numbers = (recording.num_events, recording.start_us, recording.stop_us)
        num_found = sum(len(events) + events.num_dropped + events.num_early for events in whole)
        if num_found != numbers[0] or not 0 <= numbers[1] <= numbers[2]:
            return f"found {num_found} events, but said {numbers}"
        return _fault_in_the_middle(recording, whole)
    except RecordingError as error:
        return None if str(path) in str(error) else f"the file is not named: {error}"
    except (Exception, RuntimeWarning) as error:  # noqa: BLE001  any other is a fault
        return f"{type(error).__name__}: {error}"


def checked(recording: Recording) -> Iterator[Events]:
    """All events, each chunk held to what `Recording` promises."""
    last_us = 0
    for events in recording.read():
        columns = (events.x, events.y, events.t_us, events.polarity)
        kept = {
            "type": [column.dtype for column in columns] == ["u2", "u2", "i8", "u1"],
            "length": {len(column) for column in columns} == {len(events)},
            "chunk": len(events) <= MOST_CHUNK_EVENTS,
            "column": int(events.x.max(initial=0)) < recording.width,
            "row": int(events.y.max(initial=0)) < recording.height,
            "polarity": int(events.polarity.max(initial=0)) <= 1,
            "time": bool((np.diff(events.t_us, prepend=last_us) >= 0).all()),
        }
        if not all(kept.values()):
            raise ValueError(
                f"broken promises: {[name for name, is_kept in kept.items() if not is_kept]}"
            )
        last_us = int(events.t_us[-1]) if len(events) else last_us
        yield events


def _fault_in_the_middle(recording: Recording, whole: list[Events]) -> str | None:
    times_us = np.concatenate([np.zeros(0, np.int64), *(events.t_us for events in whole)])
    if len(times_us) == 0:
        return None
    first_us, last_us = int(times_us[len(times_us) // 3]), int(times_us[len(times_us) // 2])
    num_found = sum(len(events) for events in recording.read(first_us, last_us))
    num_wanted = np.count_nonzero((times_us >= first_us) & (times_us < last_us))
    return None if num_found == num_wanted else f"found {num_found} events of {num_wanted}"


def limit_resources() -> None:
    """Neither more memory than a reader may need, nor more time."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MOST_MORE_BYTES, resource.RLIM_INFINITY))

    def stop(*_: object) -> None:
        raise TimeoutError(f"it took more than {MOST_SECONDS} s")

    signal.signal(signal.SIGALRM, stop)


def main() -> None:
    path, copy, seed, number = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
    list(open_recording(path, size=SIZE).read())  # what is imported and compiled does not count
    limit_resources()
    for name, content in damaged_copies(path.read_bytes(), seed, number):
        copy.write_bytes(content)
        copy.with_suffix(".trial").write_text(name)
        signal.alarm(MOST_SECONDS)
        found = fault(copy)
        signal.alarm(0)
        if found is not None:
            print(f"{name}: {found}", flush=True)  # noqa: T201  what the test reads


if __name__ == "__main__":
    main()
