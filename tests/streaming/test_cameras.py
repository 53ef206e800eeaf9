"""Cameras, by what has the interface of their packages."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.streaming.moving import HEIGHT, WIDTH, moving, results, stream, together
from tests.streaming.streams import Table

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.sources import Source
from etram_pipeline.streaming.sources.inivation import InivationSource
from etram_pipeline.streaming.sources.metavision import MetavisionSource

SIZE = (HEIGHT, WIDTH)


EVENT_CD = np.dtype(
    {
        "names": ["x", "y", "p", "t"],
        "formats": ["<u2", "<u2", "<i2", "<i8"],
        "offsets": [0, 2, 4, 8],
        "itemsize": 16,
    }
)


class FakeEventsIterator:
    """Has the interface of `metavision_core.event_io.EventsIterator`, over one second."""

    size: tuple[int | None, int | None] = (HEIGHT, WIDTH)

    def __init__(  # noqa: PLR0913, PLR0917  # the arguments of the original
        self,
        input_path: str,
        start_ts: int = 0,
        mode: str = "delta_t",
        delta_t: int = 10000,
        n_events: int = 10000,
        max_duration: int | None = None,
        relative_timestamps: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        if input_path == "missing":
            raise OSError("camera not found")
        self.arguments = (start_ts, mode, n_events, max_duration, relative_timestamps)
        self.delta_t, self.current_time = delta_t, 0

    def get_size(self) -> tuple[int | None, int | None]:
        return self.size

    def get_current_time(self) -> int:
        return self.current_time

    def __iter__(self) -> Iterator[Table]:
        events = moving(300_000)
        events = events[(events["t"] < 100_000) | (events["t"] > 200_000)]
        rows = np.zeros(len(events), EVENT_CD)
        for name in "xypt":
            rows[name] = events[name]
        while self.current_time < 300_000:
            first, last = rows["t"].searchsorted(
                [self.current_time, self.current_time + self.delta_t]
            )
            self.current_time += self.delta_t
            yield rows[first:last]


@pytest.fixture
def metavision(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("metavision_core"), ModuleType("metavision_core.event_io")
    module.EventsIterator = FakeEventsIterator  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "metavision_core", package)
    monkeypatch.setitem(sys.modules, "metavision_core.event_io", module)


@pytest.mark.usefixtures("metavision")
def test_a_camera_of_prophesee_gives_events_and_the_time(tmp_path: Path) -> None:
    source = MetavisionSource()
    chunks: list[Chunk] = []

    with pytest.raises(SourceError, match="the camera has gone"):
        chunks.extend(source)

    assert source.size == SIZE
    assert [chunk for chunk in chunks if isinstance(chunk, int)] == list(
        range(110_000, 210_000, 10_000)
    )
    assert source.counts.packets == len(chunks) == 30
    assert len(together(results(stream(tmp_path), chunks))) > 0


@pytest.mark.usefixtures("metavision")
def test_a_file_of_prophesee_ends(tmp_path: Path) -> None:
    (tmp_path / "events.raw").touch()

    assert len(list(MetavisionSource(str(tmp_path / "events.raw"), slice_us=50_000))) == 6


@pytest.mark.usefixtures("metavision")
def test_a_camera_that_is_missing_or_has_no_size_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SourceError, match=r"camera missing cannot be opened \(camera not found\)"):
        MetavisionSource("missing")
    monkeypatch.setattr(FakeEventsIterator, "size", (None, None))
    with pytest.raises(SourceError, match="does not tell the size"):
        MetavisionSource()


@pytest.mark.usefixtures("metavision")
def test_a_closed_camera_ends() -> None:
    source = MetavisionSource()
    chunks = iter(source)
    next(chunks)

    source.close()

    assert list(chunks) == []


class FakeStore:
    """Has the interface of `dv_processing.EventStore`."""

    def __init__(self, events: Table) -> None:
        self._events = events

    def numpy(self) -> Table:
        offsets, formats = [0, 8, 10, 12], ["<i8", "<i2", "<i2", "i1"]
        names = ["timestamp", "x", "y", "polarity"]
        layout: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": 16}
        rows = np.zeros(len(self._events), layout)
        for mine, theirs in zip(names, "txyp", strict=True):
            rows[mine] = self._events[theirs]
        return rows


class FakeCamera:
    """Has the interface of `dv_processing.io.camera.CameraInputBase` and of `io.NetworkReader`."""

    resolution: tuple[int, int] | None = (WIDTH, HEIGHT)

    def __init__(self, address: str = "", port: int = 0) -> None:
        if address == "missing":
            raise RuntimeError("connection refused")
        self.opened = address, port
        parts = np.array_split(moving(200_000), 4)
        self._batches = [None, FakeStore(parts[0]), None, *map(FakeStore, parts[1:])]

    def isRunning(self) -> bool:  # noqa: N802
        return len(self._batches) > 0

    def getNextEventBatch(self) -> FakeStore | None:  # noqa: N802
        return self._batches.pop(0) if self._batches else None

    def getEventResolution(self) -> tuple[int, int] | None:  # noqa: N802
        return self.resolution


@pytest.fixture
def inivation(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("dv_processing")
    package.io = SimpleNamespace(  # type: ignore[attr-defined]
        camera=SimpleNamespace(open=FakeCamera), NetworkReader=FakeCamera
    )
    monkeypatch.setitem(sys.modules, "dv_processing", package)


@pytest.mark.usefixtures("inivation")
@pytest.mark.parametrize("options", [{}, {"camera": "1234"}, {"sender": ("localhost", 7777)}])
def test_a_camera_of_inivation_gives_events(tmp_path: Path, options: dict[str, Any]) -> None:
    source = InivationSource(**options)
    chunks: list[Chunk] = []

    with pytest.raises(SourceError, match="has gone"):
        chunks.extend(source)

    assert source.size == SIZE
    np.testing.assert_array_equal(
        together(results(stream(tmp_path), chunks)),
        together(results(stream(tmp_path), [moving(200_000)])),
    )


@pytest.mark.usefixtures("inivation")
def test_a_missing_camera_and_one_without_events_are_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SourceError, match="missing:1 cannot be opened"):
        InivationSource(sender=("missing", 1))
    monkeypatch.setattr(FakeCamera, "resolution", None)
    with pytest.raises(SourceError, match="has no events"):
        InivationSource()


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        ("metavision_core.event_io", MetavisionSource, "install OpenEB"),
        ("dv_processing", InivationSource, "pip install dv-processing"),
    ],
)
def test_what_must_be_installed_is_said(
    monkeypatch: pytest.MonkeyPatch, module: str, source: type[Source], message: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(SourceError, match=message):
        source()
