"""Stored images of random recordings, bit for bit, against the reference's steps in plain NumPy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.formats import etram_hdf5
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.representations.stacked_histogram import Config as StackedHistogram
from etram_pipeline.events.windows import WindowConfig, WindowPlan
from etram_pipeline.preprocessing.representations import EncodeJob
from etram_pipeline.stores.settings import StorageSettings

HEIGHT, WIDTH = 6, 9
DATASET = DatasetSettings(height=HEIGHT, width=WIDTH, class_names=("car",))


class GivenWindows(WindowConfig):
    """Windows that a test lists."""

    kind: Literal["given"] = "given"
    stop_us: tuple[int, ...]

    @override
    def plan(
        self,
        frame_times_us: Int64[np.ndarray, " F"],
        frame_interval_us: int,
        recording: Recording,
    ) -> WindowPlan:
        stop_us = np.array(self.stop_us, np.int64)
        duration_us = None if self.duration_ms is None else 1000 * self.duration_ms
        return WindowPlan(stop_us, np.empty(0, np.int64), duration_us, self.num_events)


@dataclass(frozen=True)
class Stream:
    """Events as a file may hold them: times not in order, polarities of either kind."""

    x: np.ndarray
    y: np.ndarray
    t: np.ndarray
    p: np.ndarray
    storage: dict[str, Any]

    def write(self, path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name in "xytp":
                values = getattr(self, name)
                file.create_dataset(f"events/{name}", data=values, **self.storage)


STORAGES = st.one_of(
    st.just({}),
    st.builds(
        lambda rows, options: {"chunks": (rows,), "maxshape": (None,), **options},
        st.integers(1, 40),
        st.sampled_from(
            [
                {},
                {"compression": "gzip"},
                {"compression": "gzip", "shuffle": True},
                {"compression": "lzf"},
                dict(hdf5plugin.Blosc()),
            ]
        ),
    ),
)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Up to 200 events, some of a hot pixel, some late, some outside, some at times of others."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    num = draw(st.integers(1, 200))
    begin_us = draw(st.sampled_from([-3000, 0, 5, 2**32 - 40_000, 2**40]))
    span_us = draw(st.sampled_from([1, 30, 60_000, 400_000]))
    t = begin_us + np.sort(rng.integers(0, span_us, num))
    is_late = rng.random(num) < draw(st.sampled_from([0, 0.1]))
    t[is_late] -= rng.integers(0, 30_000, is_late.sum())
    x, y = rng.integers(0, WIDTH, num), rng.integers(0, HEIGHT, num)
    is_hot = rng.random(num) < draw(st.sampled_from([0, 0.5]))
    x[is_hot], y[is_hot] = 3, 5
    is_outside = rng.random(num) < draw(st.sampled_from([0, 0.05]))
    y[is_outside] = 33_014
    falling = draw(st.sampled_from([0, -1]))
    p = np.where(rng.random(num) < 0.5, 1, falling)
    return Stream(x.astype(np.uint16), y.astype(np.uint16), t, p.astype(np.int16), draw(STORAGES))


@st.composite
def window_ends_us(draw: st.DrawFn, stream: Stream) -> tuple[int, ...]:
    """Ends of windows: at events, beside them, before all and after all of them."""
    times_us = np.maximum.accumulate(stream.t)
    near = st.builds(
        lambda event, off: int(times_us[event]) + off,
        st.integers(0, len(times_us) - 1),
        st.sampled_from([-50_000, -1, 0, 1, 49_999, 50_000, 50_001, 300_000]),
    )
    ends = draw(st.lists(near.filter(lambda end: end > 0), min_size=1, max_size=8, unique=True))
    return tuple(sorted(ends))


def slow_images(
    stream: Stream, windows: GivenWindows, config: RepresentationConfig
) -> Iterator[np.ndarray]:
    """Images by the reference's definition, over all events at once."""
    times_us = np.maximum.accumulate(stream.t)
    is_kept = (times_us >= 0) & (stream.x < WIDTH) & (stream.y < HEIGHT)
    x, y, t, p = stream.x[is_kept], stream.y[is_kept], times_us[is_kept], stream.p[is_kept] > 0
    for stop_us in windows.stop_us:
        if windows.duration_ms is None:
            (chosen,) = np.nonzero(t <= stop_us)
            chosen = chosen[-(windows.num_events or 0) :]
        else:
            chosen = np.nonzero((t >= stop_us - 1000 * windows.duration_ms) & (t <= stop_us))[0]
        if not isinstance(config, StackedHistogram):  # compared with its definition elsewhere
            columns = (x[chosen], y[chosen], t[chosen], p[chosen].astype(np.uint8))
            yield config.build(HEIGHT, WIDTH)(Events(*columns))
            continue
        counts = np.zeros((2, 10, HEIGHT, WIDTH), np.int64)
        if len(chosen):
            since_us = t[chosen] - t[chosen[0]]
            share = since_us.astype(np.float32) / np.float32(max(since_us[-1], 1))
            part = np.minimum(np.floor(share * np.float32(10)).astype(int), 9)
            for event, event_part in zip(chosen, part, strict=True):
                counts[int(p[event]), event_part, y[event], x[event]] += 1
        image: np.ndarray = counts.reshape(20, HEIGHT, WIDTH)
        if config.downsample == "nearest":
            image = image[:, 1::2, 1::2]
        elif config.downsample == "sum":
            image = image.reshape(20, HEIGHT // 2, 2, WIDTH, 1)[..., : WIDTH // 2 * 2, :]
            image = image.sum(axis=2).reshape(20, HEIGHT // 2, WIDTH // 2, 2).sum(axis=3)
        yield np.minimum(image, 10).astype(np.uint8)


@pytest.fixture(params=[7, 64, 2**18])
def _block_events(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads so many events at once, so that windows reach over blocks."""
    monkeypatch.setattr(etram_hdf5, "_BLOCK_EVENTS", request.param)


@pytest.mark.usefixtures("_block_events")
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.data(),
    streams(),
    st.sampled_from(["nearest", "sum", None]),
    st.sampled_from(["stacked_histogram", "vtei", "voxel_grid", "time_surface"]),
)
def test_stored_images_are_those_of_the_definition(
    data: st.DataObject, stream: Stream, downsample: str | None, kind: str
) -> None:
    stop_us = data.draw(window_ends_us(stream))
    by_count: dict[str, int | None] = {"duration_ms": None, "num_events": 30}
    extent = data.draw(st.sampled_from([{}, by_count]))
    windows = GivenWindows(stop_us=stop_us, **extent)
    config = RepresentationConfig.model_validate({"kind": kind, "downsample": downsample})
    with TemporaryDirectory() as folder:
        stream.write(Path(folder) / "recording")
        job = EncodeJob(
            Path(folder) / "recording", (), 0, DATASET, windows, config, StorageSettings()
        )
        job(Path(folder), "mark")
        with h5py.File(Path(folder) / job.outputs[-1]) as file:
            found = file["data"][:]

    wanted = np.stack(list(slow_images(stream, windows, config)))
    np.testing.assert_array_equal(found, wanted)
